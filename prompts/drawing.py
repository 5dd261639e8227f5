"""Prompts as pages draw them: texts in pieces, so that variables and references stand out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from accounts.access import ProjectScope
from config.errors import Invalid
from prompts import content
from prompts.content import Content, Reference

#: characters that are drawn; the rest is a click away
MOST_CHARACTERS = 100_000
_MARKED = re.compile(f"{content.VARIABLE.pattern}|{content.REFERENCE.pattern}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """`kind` is text, variable or reference; `url` leads to what a reference names."""

    kind: str
    text: str
    url: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DrawnMessage:
    """A message, or a placeholder for some, which has a name and no pieces."""

    role: str
    pieces: list[Piece]
    placeholder: str = ""
    #: what else the message has: names, tool calls
    rest: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """`messages` is None for text."""

    pieces: list[Piece]
    messages: list[DrawnMessage] | None
    length: int
    is_cut: bool


def prompt_url(project_id: str, name: str, version: int | None = None, **parameters: str | int) -> str:
    """Of the prompt's page."""
    asked = {**({"version": version} if version else {}), **parameters}
    page = reverse("prompts:prompt-detail", args=[project_id, name])
    return f"{page}?{urlencode(asked)}" if asked else page


def new_playground_url(project_id: str) -> str:
    """Where forms begin a playground."""
    return reverse("prompts:playground-new", args=[project_id])


def draw(scope: ProjectScope, said: Content, *, is_whole: bool = False) -> Drawn:
    """What is longer than MOST_CHARACTERS is cut unless it shall be whole."""
    pen = _Pen(scope, None if is_whole else MOST_CHARACTERS)
    length = sum(map(len, content.texts(said)))
    if isinstance(said, str):
        return Drawn(pen.pieces(said), None, length, pen.has_cut)
    messages = []
    for message in said:
        messages.append(_drawn(pen, message))
        if pen.has_cut:
            break
    return Drawn([], messages, length, pen.has_cut)


def _drawn(pen: _Pen, message: dict[str, Any]) -> DrawnMessage:
    if message.get("type") == content.PLACEHOLDER:
        return DrawnMessage(content.PLACEHOLDER, [], placeholder=message["name"])
    rest = {key: value for key, value in message.items() if key not in ("role", "content")}
    return DrawnMessage(message["role"], pen.pieces(message["content"]), rest=rest or None)


class _Pen:
    def __init__(self, scope: ProjectScope, left: int | None) -> None:
        self._scope, self._left = scope, left
        self.has_cut = False

    def pieces(self, text: str) -> list[Piece]:
        if self._left is not None:
            text, self.has_cut = text[: self._left], len(text) > self._left
            self._left -= len(text)
        found, at = [], 0
        for match in _MARKED.finditer(text):
            if match.start() > at:
                found.append(Piece("text", text[at : match.start()]))
            found.append(self._marked(match[0]))
            at = match.end()
        if at < len(text):
            found.append(Piece("text", text[at:]))
        return found

    def _marked(self, text: str) -> Piece:
        if content.VARIABLE.fullmatch(text):
            return Piece("variable", text)
        try:
            [reference] = content.references(text)
        except Invalid:
            return Piece("text", text)
        return Piece("reference", reference.name, reference_url(self._scope, reference), which(reference))


def which(reference: Reference) -> str:
    return f"v{reference.number}" if reference.number else reference.label


def reference_url(scope: ProjectScope, reference: Reference) -> str:
    if reference.number:
        return prompt_url(scope.project_id, reference.name, reference.number)
    return prompt_url(scope.project_id, reference.name, label=reference.label)
