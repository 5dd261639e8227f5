"""What a prompt may say: text or messages, with variables, message placeholders and references to other prompts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from config.errors import Invalid, issue
from prompts.models import LABEL_LENGTH, PromptType

#: `{{ name }}`, as the SDKs compile it
VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][\w]*)\s*\}\}")
#: `@@@langfusePrompt:name=a|version=1@@@`, or with `label=`
REFERENCE = re.compile(r"@@@langfusePrompt:(.*?)@@@", re.DOTALL)
LABEL = re.compile(rf"[a-z0-9_\-.]{{1,{LABEL_LENGTH}}}")
PLACEHOLDER = "placeholder"
#: what a message may be told to be
_MESSAGE_TYPES = (None, "chatmessage", "message")

Message = dict[str, Any]
Content = str | list[Message]


@dataclass(frozen=True, slots=True)
class Reference:
    """Another prompt, by number or by label; `text` is how it was written."""

    name: str
    number: int | None
    label: str
    text: str

    @property
    def address(self) -> str:
        return f"{self.name} {f'version {self.number}' if self.number else f'label {self.label}'}"


def checked(kind: str, content: Any) -> Content:
    """The content with what messages may have and nothing else. Raises Invalid."""
    if kind == PromptType.TEXT:
        if not isinstance(content, str):
            raise Invalid(issues=[issue(("prompt",), "A text prompt is a string.")])
        return content
    if not isinstance(content, list):
        raise Invalid(issues=[issue(("prompt",), "A chat prompt is a list of messages and placeholders.")])
    messages = [_message(one, position) for position, one in enumerate(content)]
    twice = set(variables(messages)) & set(placeholders(messages))
    if twice:
        name = sorted(twice)[0]
        raise Invalid(issues=[issue(("prompt",), f"{name} is the name of a variable and of a placeholder.")])
    return messages


def _message(given: Any, position: int) -> Message:
    path = ("prompt", position)
    if not isinstance(given, dict):
        raise Invalid(issues=[issue(path, "A message is an object.")])
    if given.get("type") == PLACEHOLDER:
        name = given.get("name")
        if not isinstance(name, str) or not VARIABLE.fullmatch(f"{{{{{name}}}}}"):
            message = "The name of a placeholder has letters, digits and underscores, and begins with no digit."
            raise Invalid(issues=[issue((*path, "name"), message)])
        return {"type": PLACEHOLDER, "name": name}
    if given.get("type") not in _MESSAGE_TYPES:
        raise Invalid(issues=[issue((*path, "type"), 'A message has the type "chatmessage" or "placeholder".')])
    for key in ("role", "content"):
        if not isinstance(given.get(key), str):
            raise Invalid(issues=[issue((*path, key), f"{key} is a string.")])
    return {key: value for key, value in given.items() if key != "type"}


def stored(content: Content) -> str:
    return content if isinstance(content, str) else orjson.dumps(content).decode()


def texts(content: Content) -> Iterator[str]:
    """Every text in which variables and references may stand."""
    if isinstance(content, str):
        yield content
        return
    yield from (message["content"] for message in content if "content" in message)


def variables(content: Content) -> list[str]:
    """Names in the order in which they first occur."""
    return list(dict.fromkeys(name for text in texts(content) for name in VARIABLE.findall(text)))


def placeholders(content: Content) -> list[str]:
    if isinstance(content, str):
        return []
    return list(dict.fromkeys(message["name"] for message in content if message.get("type") == PLACEHOLDER))


def references(content: Content) -> list[Reference]:
    """Raises Invalid for one that is not understood."""
    found = [_reference(match) for text in texts(content) for match in REFERENCE.finditer(text)]
    return list(dict.fromkeys(found))


def _reference(match: re.Match[str]) -> Reference:
    parts = [part.partition("=") for part in match[1].split("|")]
    if len(parts) == 2 and parts[0][0] == "name" and parts[0][2]:
        (_, _, name), (kind, _, value) = parts
        if kind == "version" and value.isascii() and value.isdigit() and 0 < int(value) < 2**31:
            return Reference(name, int(value), "", match[0])
        if kind == "label" and value:
            return Reference(name, None, value, match[0])
    raise Invalid(
        f"A reference is written @@@langfusePrompt:name=…|version=…@@@ or with label=, and not {match[0][:200]}"
    )


def replaced(content: Content, by: dict[str, str]) -> Content:
    """The content with references, as they were written, replaced by texts."""

    def put(text: str) -> str:
        return REFERENCE.sub(lambda match: by.get(match[0], match[0]), text)

    if isinstance(content, str):
        return put(content)
    return [{**message, "content": put(message["content"])} if "content" in message else message for message in content]
