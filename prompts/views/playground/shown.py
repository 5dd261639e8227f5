"""A playground as its page shows it: windows with their letters, messages in parts, runs in words.

The document keeps what people typed as they typed it, so nothing here may trust its inside to be of any shape that
`prompts.playground.state` does not promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from prompts.llm import ProviderError
from prompts.llm.types import Trouble
from prompts.llm.words import Explained, explained
from prompts.models import PlaygroundRun

ROLES = ("system", "developer", "user", "assistant", "tool")
#: what a message may have that fields of its own show; the rest is kept beside them
_KNOWN = {"id", "role", "content", "tool_calls", "tool_call_id", "type"}
_CALL_KNOWN = {"id", "type", "function"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter of calls: how programs write it, what it is for, how it is typed (number, lines, effort)."""

    name: str
    about: str | Promise
    kind: str = "number"
    example: str = ""


SETTINGS = (
    Setting("temperature", gettext_lazy("How much chance there is in the answer"), example="0.7"),
    Setting("top_p", gettext_lazy("Only the likeliest words, up to this share"), example="1"),
    Setting("max_tokens", gettext_lazy("Where an answer ends at the latest"), example="1024"),
    Setting("frequency_penalty", gettext_lazy("Against words that were said often"), example="0"),
    Setting("presence_penalty", gettext_lazy("Against words that were said at all"), example="0"),
    Setting("seed", gettext_lazy("The same seed, the same chance"), example="42"),
    Setting("reasoning_effort", gettext_lazy("How long a model thinks that can"), "effort"),
    Setting("reasoning_budget", gettext_lazy("Tokens to think with, where they are counted"), example="4096"),
    Setting("stop", gettext_lazy("Texts that end an answer, one a line"), "lines"),
)
EFFORTS = ("minimal", "low", "medium", "high")
#: as providers know it; the name of a tool may stand there as well
TOOL_CHOICES = ("auto", "none", "required")


@dataclass(frozen=True, slots=True)
class Part:
    """`kind` is text, image, thinking or other; `kept` is the part as it came, in JSON, for what is not edited."""

    kind: str
    text: str = ""
    kept: str = ""

    @property
    def is_inline_image(self) -> bool:
        return self.text.startswith("data:")


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str = ""
    name: str = ""
    arguments: str = ""
    #: JSON of what else it has
    extra: str = ""


@dataclass(frozen=True)
class Message:
    id: str = ""
    role: str = "user"
    #: of a place where messages are put in; None of a message
    placeholder: str | None = None
    parts: Sequence[Part] = (Part("text"),)
    #: whether the document has its content as a list
    is_list: bool = False
    calls: Sequence[ToolCall] = ()
    tool_call_id: str = ""
    #: JSON of what else it has
    extra: str = ""

    @property
    def roles(self) -> list[str]:
        return list(dict.fromkeys([*ROLES, self.role]))


@dataclass(frozen=True, slots=True)
class Tool:
    name: str = ""
    description: str = ""
    parameters: str = ""


@dataclass
class Window:
    """`raw` is the window as the document has it, `place` counts from 0."""

    raw: Mapping[str, Any]
    place: int = 0
    #: ids of its runs, newest first
    runs: Sequence[str] = ()
    #: the one that is shown, of several
    run: PlaygroundRun | None = None
    as_json: bool = False
    is_current: bool = False
    source_url: str = ""
    prompt_url: str = ""
    trace_url: str = ""
    #: variables that come along with prompts that its messages embed
    embedded: Sequence[str] = ()

    @property
    def id(self) -> str:
        return str(self.raw.get("id") or "")

    @property
    def letter(self) -> str:
        return chr(ord("A") + self.place)

    def text(self, name: str) -> str:
        return _text(self.raw.get(name))

    @property
    def title(self) -> str:
        return self.text("title")

    @property
    def name(self) -> str:
        return self.title or _("Window %(letter)s") % {"letter": self.letter}

    @property
    def connection(self) -> str:
        return self.text("connection")

    @property
    def model(self) -> str:
        return self.text("model")

    @property
    def options(self) -> str:
        return self.text("options")

    @property
    def tool_choice(self) -> str:
        return self.text("tool_choice")

    @property
    def stream(self) -> bool:
        return self.raw.get("stream") is not False

    @cached_property
    def messages(self) -> list[Message]:
        return [message_of(raw) for raw in _dicts(self.raw.get("messages"))]

    @cached_property
    def settings(self) -> list[tuple[Setting, str]]:
        given = _dict(self.raw.get("parameters"))
        return [(setting, _text(given.get(setting.name))) for setting in SETTINGS]

    @property
    def efforts(self) -> list[str]:
        """Those that are known, and the one that is chosen."""
        chosen = _text(_dict(self.raw.get("parameters")).get("reasoning_effort"))
        return list(dict.fromkeys([*EFFORTS, *([chosen] if chosen else [])]))

    @property
    def settings_said(self) -> str:
        said = [f"{setting.name} {value}" for setting, value in self.settings if value and setting.kind != "lines"]
        said += [setting.name for setting, value in self.settings if value and setting.kind == "lines"]
        return " · ".join([*said, *(["options"] if self.options.strip() else [])])

    @cached_property
    def tools(self) -> list[Tool]:
        return [
            Tool(_text(one.get("name")), _text(one.get("description")), _text(one.get("parameters")))
            for one in _dicts(self.raw.get("tools"))
        ]

    @property
    def tool_choices(self) -> list[str]:
        names = [tool.name for tool in self.tools if tool.name]
        return list(dict.fromkeys([*TOOL_CHOICES, *names, *([self.tool_choice] if self.tool_choice else [])]))

    @property
    def schema(self) -> dict[str, str] | None:
        given = self.raw.get("output_schema")
        if not isinstance(given, Mapping):
            return None
        return {"name": _text(given.get("name")), "schema": _text(given.get("schema"))}

    @property
    def prompt(self) -> dict[str, Any] | None:
        given = self.raw.get("prompt")
        return dict(given) if isinstance(given, Mapping) and given.get("name") else None

    @property
    def prompt_json(self) -> str:
        return _json(self.raw.get("prompt"))

    @property
    def source_json(self) -> str:
        return _json(self.raw.get("source"))

    @cached_property
    def shown_run(self) -> Run | None:
        return Run(self.run, self.runs, self.as_json, self.trace_url) if self.run else None

    @property
    def embedded_json(self) -> str:
        return _json(list(self.embedded))


@dataclass
class Run:
    """An outcome. `runs` are the ids of those of its window, newest first."""

    record: PlaygroundRun
    runs: Sequence[str] = field(default_factory=list)
    as_json: bool = False
    trace_url: str = ""

    @property
    def message(self) -> dict[str, Any] | None:
        return self.record.message

    @property
    def message_json(self) -> dict[str, Any]:
        return self.message or {}

    @cached_property
    def content(self) -> Message | None:
        return message_of(self.message) if self.message else None

    @cached_property
    def text(self) -> str:
        """What is copied: the words, without thoughts."""
        if self.content is None:
            return ""
        words = "\n\n".join(part.text for part in self.content.parts if part.kind == "text" and part.text)
        return words or self.refusal

    @property
    def refusal(self) -> str:
        return _text((self.message or {}).get("refusal"))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show of it."""
        content = self.content
        return not self.text and content is not None and not content.calls and not self._has_more(content)

    @staticmethod
    def _has_more(content: Message) -> bool:
        return any(part.kind != "text" for part in content.parts)

    @property
    def other_parts(self) -> list[Any]:
        return [orjson.loads(part.kept) for part in self.content.parts if part.kind == "other"] if self.content else []

    @property
    def problem(self) -> Explained | None:
        """What went wrong, in words, and what to do about it."""
        error = self.record.error
        if not error:
            return None
        trouble = error.get("trouble")
        if trouble not in set(Trouble):
            return Explained(_text(error.get("message")), "")
        status = error.get("status")
        return explained(
            ProviderError(
                Trouble(trouble),
                _text(error.get("message")),
                provider_status=status if isinstance(status, int) else None,
            )
        )

    @property
    def number(self) -> int:
        """Counted from the oldest that is kept."""
        return len(self.runs) - self._place

    @property
    def older(self) -> str:
        return self.runs[self._place + 1] if self._place + 1 < len(self.runs) else ""

    @property
    def newer(self) -> str:
        return self.runs[self._place - 1] if self._place > 0 else ""

    @cached_property
    def _place(self) -> int:
        return next((place for place, run in enumerate(self.runs) if run == self.record.pk), 0)

    @property
    def usage(self) -> list[tuple[str, int]]:
        return sorted((str(kind), units) for kind, units in self.record.usage.items() if isinstance(units, int))

    @property
    def tokens_in(self) -> int:
        return _sum(self.record.usage, "input")

    @property
    def tokens_out(self) -> int:
        return _sum(self.record.usage, "output")

    @property
    def latency_us(self) -> int | None:
        return None if self.record.latency_ms is None else self.record.latency_ms * 1000

    @property
    def first_token_us(self) -> int | None:
        return None if self.record.first_token_ms is None else self.record.first_token_ms * 1000


def message_of(raw: Mapping[str, Any]) -> Message:
    if raw.get("type") == "placeholder":
        return Message(_text(raw.get("id")), "", placeholder=_text(raw.get("name")), parts=())
    content = raw.get("content")
    extra = {key: value for key, value in raw.items() if key not in _KNOWN}
    return Message(
        id=_text(raw.get("id")),
        role=_text(raw.get("role")) or "user",
        parts=[_part(one) for one in content] if isinstance(content, list) else [Part("text", _text(content))],
        is_list=isinstance(content, list),
        calls=[_call(one) for one in _dicts(raw.get("tool_calls"))],
        tool_call_id=_text(raw.get("tool_call_id")),
        extra=_json(extra) if extra else "",
    )


def _part(raw: Any) -> Part:
    part = _dict(raw)
    match part.get("type"):
        case "text" if isinstance(part.get("text"), str) and set(part) == {"type", "text"}:
            return Part("text", part["text"])
        case "image_url" if isinstance(part.get("image_url"), dict) and isinstance(part["image_url"].get("url"), str):
            return Part("image", part["image_url"]["url"], _json(raw))
        case "thinking" if isinstance(part.get("thinking"), str):
            return Part("thinking", part["thinking"], _json(raw))
    return Part("other", kept=_json(raw))


def _call(raw: Mapping[str, Any]) -> ToolCall:
    function = _dict(raw.get("function"))
    extra = {key: value for key, value in raw.items() if key not in _CALL_KNOWN}
    arguments = function.get("arguments")
    return ToolCall(
        _text(raw.get("id")),
        _text(function.get("name")),
        arguments if isinstance(arguments, str) else _json(arguments),
        _json(extra) if extra else "",
    )


def _sum(usage: Mapping[str, Any], side: str) -> int:
    """All kinds of one side: cached and audio tokens are kinds of their own."""
    return sum(units for kind, units in usage.items() if str(kind).startswith(side) and isinstance(units, int))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()


def comparable(run: Run | None) -> str:
    """An outcome as a text that can be set beside another: words, then calls of tools, each with sorted arguments."""
    if run is None or run.content is None:
        return ""
    return "\n\n".join([*filter(None, [run.text]), *(_call_text(call) for call in run.content.calls)])


def _call_text(call: ToolCall) -> str:
    try:
        arguments = orjson.dumps(
            orjson.loads(call.arguments), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
        ).decode()
    except orjson.JSONDecodeError:
        arguments = call.arguments
    return f"── {call.name} ──\n{arguments}"
