"""A model's answer, read: as JSON where it is some, else as what people would see in it."""

from __future__ import annotations

import json
from typing import Any

import orjson
from django.utils.translation import gettext as _

from evals.judging.output import Judged, OutputDefinition, Unreadable

_LONGEST = 200_000
#: what is broken is repaired up to so many characters and opening brackets: repairing takes seconds beyond them
_LONGEST_REPAIRED = 4_000
_MOST_OPENED = 40
#: objects before the last “score” that are tried
_MOST_OBJECTS = 3
_THOUGHT = "</think>"
_FENCE = "```"
_decoder = json.JSONDecoder(strict=False)


def read_text(output: OutputDefinition, text: str) -> Judged:
    """Raises Unreadable."""
    text = _said(text.strip())
    if not text:
        raise Unreadable(_("The answer is empty."))
    if len(text) > _LONGEST:
        raise Unreadable(_("The answer is too long to be read."))
    reason: Unreadable | None = None
    for candidate in _candidates(text):
        found = _parsed(candidate)
        if isinstance(found, dict) and "score" in found:
            try:
                return output.read(found)
            except Unreadable as error:
                reason = reason or error
    raise reason or Unreadable(_("The answer has no JSON object with a “score”."))


def _said(text: str) -> str:
    """Without what was thought before. An answer that begins as an object may speak of such marks itself."""
    return text if text.startswith("{") else text.rpartition(_THOUGHT)[2].strip()


def _candidates(text: str) -> list[str]:
    """Where the object may stand, the likeliest first. Of several the last is the answer: before it models think."""
    found = [text]
    before, _mark, _rest = text.rpartition(_FENCE)
    if _FENCE in before:
        found.append(before.rpartition(_FENCE)[2])
    start = text.rfind("score")
    while len(found) < _MOST_OBJECTS + 2:
        start = text.rfind("{", 0, max(start, 0))
        if start < 0:
            break
        found.append(text[start:])
    return found


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    if "{" not in text:
        return None
    text = text[text.index("{") :]
    if len(text) > _LONGEST_REPAIRED or text.count("{") + text.count("[") > _MOST_OPENED:
        return _first_object(text)
    import json_repair  # loaded by those who need it

    try:
        return json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None


def _first_object(text: str) -> Any:
    """The one that a text begins with, whatever follows it."""
    try:
        return _decoder.raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None
