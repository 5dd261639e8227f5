"""What is asked of a language model and what comes back, whoever answers.

Messages are those of OpenAI's chat, since that is how prompts are kept: `{"role", "content"}` with the roles system,
developer, user, assistant and tool. `content` is a text or a list of parts: `{"type": "text", "text"}`,
`{"type": "image_url", "image_url": {"url"}}` (https: or data:), and from an assistant
`{"type": "thinking", "thinking", "signature"}`. An assistant's message may hold `tool_calls`
(`{"id", "type": "function", "function": {"name", "arguments"}}`), a tool's holds `tool_call_id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from config.errors import SpanwiseError

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameters:
    """None is the provider's own default. `reasoning_budget` is in tokens, for those that count thoughts; `stop` are
    texts that end an answer."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: str = ""
    reasoning_budget: int | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class Call:
    """`tool_choice`: auto, none, required, or the name of a tool; empty for the provider's own default.
    `output_schema`: a JSON schema that the answer has to fit. `options` are put into the request's body as they are,
    over all that is there. Without `stream` the answer is asked for in one piece."""

    model: str
    messages: Sequence[Message]
    parameters: Parameters = Parameters()
    tools: Sequence[Tool] = ()
    tool_choice: str = ""
    output_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True


# --- What comes ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer. `is_refusal`: it says why there is none."""

    text: str
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of what the model thought. `signature` has to go back with it where the provider signs thoughts."""

    text: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index`. The first piece has `id` and `name`; `arguments` are pieces of JSON.
    `signature` is the provider's own of the thought behind it."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    signature: str = ""


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    #: by the model itself, or by a filter of the provider
    REFUSAL = "refusal"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event. `usage` has kinds that do not overlap, as prices know them, and `total`; `model` is the one that
    answered. `raw`: the provider's own `finish_reason`, `usage`, `id` and `request_id`."""

    usage: Mapping[str, int]
    finish_reason: FinishReason
    model: str
    raw: Mapping[str, Any] = field(default_factory=dict)


Event = TextDelta | ThinkingDelta | ToolCallDelta | Finished


@dataclass(slots=True)
class ToolCall:
    id: str = ""
    name: str = ""
    arguments: str = ""
    signature: str = ""

    def as_part(self) -> dict[str, Any]:
        """One of a message's `tool_calls`. Gemini has to get its signature back, in the place where Google puts it for
        others, too."""
        part: dict[str, Any] = {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments or "{}"},
        }
        if self.signature:
            part["extra_content"] = {"google": {"thought_signature": self.signature}}
        return part


@dataclass(slots=True)
class Answer:
    """All events of a call, put together as they come."""

    text: str = ""
    refusal: str = ""
    thinking: str = ""
    signature: str = ""
    tool_calls: dict[int, ToolCall] = field(default_factory=dict)
    finished: Finished | None = None

    def add(self, event: Event) -> None:
        match event:
            case TextDelta(text, True):
                self.refusal += text
            case TextDelta(text):
                self.text += text
            case ThinkingDelta(text, signature):
                self.thinking += text
                self.signature += signature
            case ToolCallDelta(index, call_id, name, arguments, signature):
                call = self.tool_calls.setdefault(index, ToolCall())
                call.id = call.id or call_id
                call.name = call.name or name
                call.arguments += arguments
                call.signature += signature
            case Finished():
                self.finished = event

    @classmethod
    def of(cls, events: Iterable[Event]) -> Answer:
        answer = cls()
        for event in events:
            answer.add(event)
        return answer

    def as_message(self) -> dict[str, Any]:
        """As an assistant's message of the conversation that goes on."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or self.refusal}
        if self.thinking:
            thought = {"type": "thinking", "thinking": self.thinking, "signature": self.signature}
            message["content"] = [thought, {"type": "text", "text": self.text or self.refusal}]
        if self.tool_calls:
            message["tool_calls"] = [call.as_part() for _, call in sorted(self.tool_calls.items())]
        return message


# --- What goes wrong -------------------------------------------------------------------------------------
class Trouble(StrEnum):
    """Where a call failed; `prompts.llm.words` says it in words."""

    #: the provider answered with a status that is an error
    STATUS = "status"
    #: the provider sent an error while the answer was coming
    IN_STREAM = "in_stream"
    CUT_OFF = "cut_off"
    #: what came is no stream of events, or no JSON
    NOT_UNDERSTOOD = "not_understood"
    ADDRESS_REFUSED = "address_refused"
    HOST_NOT_FOUND = "host_not_found"
    NO_CONNECTION = "no_connection"
    TLS = "tls"
    TIME_OUT = "time_out"
    TOO_LARGE = "too_large"
    #: the connection itself is not set up as it has to be
    SETUP = "setup"
    #: the provider cannot do what the call asks for
    CALL = "call"


class ProviderError(SpanwiseError):
    """A call that brought no whole answer. `body` is what the provider said, as it came and at most 64 KiB of it;
    `provider_status` is None where there was no answer."""

    status = 502

    def __init__(
        self,
        trouble: Trouble,
        message: str,
        *,
        provider_status: int | None = None,
        body: str = "",
        request_id: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.provider_status = provider_status
        self.body = body
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    @property
    def may_pass(self) -> bool:
        """Whether the very same call may succeed later."""
        if self.trouble is Trouble.STATUS:
            status = self.provider_status or 0
            return status in (408, 409, 425, 429) or status >= 500
        return self.trouble in _PASSING


_PASSING = frozenset(
    (
        Trouble.IN_STREAM,
        Trouble.CUT_OFF,
        Trouble.NOT_UNDERSTOOD,
        # Names are not found either while the line or the name server is away.
        Trouble.HOST_NOT_FOUND,
        Trouble.NO_CONNECTION,
        Trouble.TIME_OUT,
    )
)


class Cancelled(SpanwiseError):
    """Whoever asked does not want to know any more; the connection is closed."""

    status = 499
