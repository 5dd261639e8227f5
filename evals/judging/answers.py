"""A model's answer, read: as JSON where it is some, else as what people would see in it."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.utils.translation import gettext as _

from evals.judging.output import Judged, OutputDefinition, Unreadable

#: repairing looks at each character: what is longer is no answer to a judge's question
_LONGEST = 200_000
_FENCE = re.compile(r"```(?:json|JSON)?\s*\n?(.*?)```", re.DOTALL)
_BLOCK = re.compile(r"<think>.*?</think>", re.DOTALL)


def read_text(output: OutputDefinition, text: str) -> Judged:
    """Raises Unreadable."""
    text = _BLOCK.sub("", text).strip()
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


def _candidates(text: str) -> list[str]:
    """Where the object may stand, the likeliest first. Of several the last is the answer: before it models think."""
    found = [text, *reversed(_FENCE.findall(text))]
    start = text.rfind("{")
    while start >= 0 and len(found) < 20:
        found.append(text[start:])
        start = text.rfind("{", 0, start)
    return found


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    if "{" not in text:
        return None
    import json_repair  # loaded by those who need it

    try:
        return json_repair.loads(text[text.index("{") :], skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
