"""What the wires share."""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prompts.llm.transport import Frame, Request, json_request, said_in
from prompts.llm.types import Call, Event, FinishReason, Message, ProviderError, Trouble
from prompts.models import LlmConnection
from tracing.ingest.usage import clean_usage

#: of providers that insist on a number
DEFAULT_MAX_TOKENS = 4096
#: why an answer ended, in the words that Anthropic and Bedrock share
STOP_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
}
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.ASCII)
#: parts that hold what a model thought
THOUGHTS = ("thinking", "redacted_thinking")
_SYSTEM_ROLES = ("system", "developer")


class Wire(ABC):
    """One call over one connection."""

    #: parameters that this provider has no word for: a call that sets one is refused, and not quietly made without it
    unsupported: tuple[str, ...] = ()

    def __init__(self, connection: LlmConnection, call: Call, ask: Callable[[], None]) -> None:
        self.connection = connection
        self.call = call
        self.ask = ask

    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def key_headers(self) -> dict[str, str]: ...

    @abstractmethod
    def body(self) -> dict[str, Any]: ...

    @abstractmethod
    def events(self, frames: Iterator[Frame]) -> Iterator[Event]:
        """Ends after Finished. Frames of kinds that are not known are left out: providers add some at any time."""

    @abstractmethod
    def frames_of(self, whole: Any) -> Iterable[Frame]:
        """An answer that was not streamed, as the frames that it would have been."""

    def request(self) -> Request:
        for name in self.unsupported:
            if getattr(self.call.parameters, name) not in (None, "", (), []):
                raise cannot(f"{self.connection.get_adapter_display()} has no parameter {name}.")
        accepted = {} if self.call.stream else {"Accept": "application/json"}
        headers = {**accepted, **self.key_headers(), **self.connection.headers}
        return json_request(self.url(), headers, merged(self.body(), self.call.options))

    def base_url(self, default: str) -> str:
        return (self.connection.base_url or default).rstrip("/")


def cannot(message: str) -> ProviderError:
    return ProviderError(Trouble.CALL, message)


def wrong_setup(message: str) -> ProviderError:
    return ProviderError(Trouble.SETUP, message)


def in_stream(body: Any) -> ProviderError:
    """An error that came in the middle of an answer, as it came."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return ProviderError(Trouble.IN_STREAM, said_in(body) or text[:500], body=text, provider_status=200)


def usage_of(told: Any) -> dict[str, int]:
    """Kinds that do not overlap, and their `total`, of what a provider counted."""
    kinds = clean_usage(told)
    if kinds:
        kinds.setdefault("total", sum(kinds.values()))
    return kinds


def given(**values: Any) -> dict[str, Any]:
    """Those that are set. Empty lists, texts and objects count as not set."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], (), {})}


def merged(body: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options over the body, object by object."""
    found = dict(body)
    for name, value in options.items():
        inner = found.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        found[name] = merged(inner, value) if both else value  # type: ignore[arg-type]
    return found


# --- Messages --------------------------------------------------------------------------------------------
def system_text(messages: Iterable[Message]) -> str:
    """All that is said to the model beforehand; for providers that take it apart from the conversation."""
    return "\n\n".join(filter(None, (text_of(one) for one in messages if one.get("role") in _SYSTEM_ROLES)))


def conversation(messages: Iterable[Message]) -> list[Message]:
    return [message for message in messages if message.get("role") not in _SYSTEM_ROLES]


def parts_of(message: Message) -> list[Mapping[str, Any]]:
    """The content as parts. Raises ProviderError for what is neither text nor parts."""
    content = message.get("content")
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
        return list(content)
    raise cannot("The content of a message is a text or a list of parts.")


def text_of(message: Message) -> str:
    return "".join(str(part.get("text") or "") for part in parts_of(message) if part.get("type") == "text")


def image_url(part: Mapping[str, Any]) -> str:
    """Of an image part; Raises ProviderError for parts of other kinds."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if part.get("type") != "image_url" or not isinstance(url, str):
        raise cannot(f"A part of the type {part.get('type')!r} cannot be sent to this provider.")
    return url


def image_data(url: str) -> tuple[str, str] | None:
    """Media type and base64 of a data URL; None for an address."""
    if not url.startswith("data:"):
        return None
    found = _DATA_URL.match(url)
    if found is None:
        raise cannot("An image is given by its address, or as data:<type>;base64,<data>.")
    data = url[found.end() :]
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        raise cannot("The data of an image is no base64.") from None
    return found.group(1) or "image/png", data


def guessed_type(url: str) -> str:
    return mimetypes.guess_type(url.partition("?")[0])[0] or "image/jpeg"


def tool_calls_of(message: Message) -> list[tuple[str, str, dict[str, Any], Mapping[str, Any]]]:
    """Id, name, arguments and the whole of each call that an assistant made."""
    found = []
    for entry in message.get("tool_calls") or ():
        function = entry.get("function") or {}
        try:
            arguments = json.loads(function.get("arguments") or "{}")
        except (ValueError, TypeError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise cannot(f"The arguments of the call of {function.get('name')!r} are no JSON object.")
        found.append((str(entry.get("id") or ""), str(function.get("name") or ""), arguments, entry))
    return found


def together(messages: Iterable[dict[str, Any]], parts: str) -> list[dict[str, Any]]:
    """Neighbours of one role as one message: results of several tools belong into the same turn."""
    found: list[dict[str, Any]] = []
    for message in messages:
        if found and found[-1]["role"] == message["role"]:
            found[-1][parts] = [*found[-1][parts], *message[parts]]
        else:
            found.append(message)
    return found


def is_strict(schema: Any) -> bool:
    """Whether every object in it names all it may hold and needs all of it, as OpenAI's strict mode asks for."""
    if isinstance(schema, list):
        return all(is_strict(one) for one in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if (schema.get("type") == "object" or properties is not None) and not (
        schema.get("additionalProperties") is False and set(schema.get("required") or ()) == set(properties or ())
    ):
        return False
    return all(is_strict(one) for one in schema.values())
