"""What a conversation is made of: messages of parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import cached_property


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Structured:
    """A text that is JSON: what a model was asked to answer in. `text` is as it was sent."""

    value: Any
    text: str
    kind: str = "structured"


@dataclass(frozen=True, slots=True)
class Thinking:
    """`signature`: the provider's own, without which it does not take its thoughts back; of redacted ones all there
    is."""

    text: str
    is_redacted: bool = False
    signature: str = ""
    kind: str = "thinking"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's own words for why it does not answer."""

    text: str
    kind: str = "refusal"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`number` counts calls of one message that were asked for at once; 0 for a call that stands alone."""

    name: str
    arguments: Any
    id: str = ""
    number: int = 0
    #: the conversation holds its result
    is_answered: bool = False
    #: the provider's own, of the thought behind it
    signature: str = ""
    kind: str = "call"


@dataclass(frozen=True, slots=True)
class ToolResult:
    content: Any
    id: str = ""
    name: str = ""
    is_error: bool = False
    #: the conversation holds its call
    is_asked: bool = False
    kind: str = "result"


@dataclass(frozen=True, slots=True)
class Media:
    """A file: stored here (`media_id`), inline (`data_uri`), or elsewhere (`address`, which is never loaded)."""

    content_type: str = ""
    media_id: str = ""
    data_uri: str = ""
    address: str = ""
    name: str = ""
    kind: str = "media"

    @property
    def family(self) -> str:
        return self.content_type.partition("/")[0]

    @property
    def inline_bytes(self) -> int:
        """Size of what a data URI holds."""
        encoded = len(self.data_uri) - self.data_uri.find(",") - 1
        return encoded * 3 // 4 if self.data_uri else 0


@dataclass(frozen=True, slots=True)
class Data:
    """Something of no known shape."""

    value: Any
    kind: str = "data"


Part = Text | Structured | Thinking | Refusal | ToolCall | ToolResult | Media | Data


@dataclass(frozen=True, slots=True)
class Message:
    """`rest` are fields that no part shows, such as why the model stopped or what may be cached."""

    role: str
    parts: tuple[Part, ...]
    name: str = ""
    rest: dict[str, Any] = field(default_factory=dict)
    #: among the messages of its content, from 0
    place: int = 0

    @property
    def characters(self) -> int:
        return sum(len(part.text) for part in self.parts if isinstance(part, Text | Structured | Thinking | Refusal))

    @property
    def is_prompt(self) -> bool:
        return self.role in ("system", "developer")


#: as few as these are not worth a fold
_FEW_MESSAGES = 3
#: an unfolded history beyond this is not in the page until it is asked for
_HEAVY_CHARACTERS = 200_000
_HEAVY_MESSAGES = 200


@dataclass(frozen=True, slots=True)
class Scenes:
    """A conversation in the order it is set in: prompts, what was said before, the last exchange."""

    prompts: tuple[Message, ...]
    earlier: tuple[Message, ...]
    latest: tuple[Message, ...]

    @property
    def earlier_characters(self) -> int:
        return sum(message.characters for message in self.earlier)

    @property
    def is_heavy(self) -> bool:
        return len(self.earlier) > _HEAVY_MESSAGES or self.earlier_characters > _HEAVY_CHARACTERS


@dataclass(frozen=True)
class Content:
    """`kind` is messages, text, data or empty; `rest` holds fields beside the messages."""

    kind: str
    raw: str
    messages: tuple[Message, ...] = ()
    text: str = ""
    value: Any = None
    rest: dict[str, Any] = field(default_factory=dict)
    media: tuple[Media, ...] = ()

    @cached_property
    def calls(self) -> list[ToolCall]:
        return [part for message in self.messages for part in message.parts if isinstance(part, ToolCall)]

    @cached_property
    def scenes(self) -> Scenes:
        """The last exchange begins with the user's last words."""
        first = next((n for n, message in enumerate(self.messages) if not message.is_prompt), len(self.messages))
        prompts, spoken = self.messages[:first], self.messages[first:]
        starts = [n for n, message in enumerate(spoken) if message.role == "user" and _has_words(message)]
        last = starts[-1] if starts else max(0, len(spoken) - _FEW_MESSAGES)
        if last < _FEW_MESSAGES:
            last = 0
        return Scenes(prompts, spoken[:last], spoken[last:])

    @cached_property
    def files(self) -> list[Media]:
        """Every file in it, wherever it stands."""
        spoken = [part for message in self.messages for part in message.parts if isinstance(part, Media)]
        return [*spoken, *self.media]


def _has_words(message: Message) -> bool:
    """Anthropic, Gemini and Bedrock send results of tools as the user."""
    return any(not isinstance(part, ToolResult) for part in message.parts)
