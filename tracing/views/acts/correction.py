"""What should have been answered, beside what was: as text to edit, and as the difference between the two."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

import orjson

from tracing.analytics.records import Score

#: words are compared up to here; a longer text only line by line
_MOST_WORDS = 4_000
_MOST_LINES = 4_000
#: characters that are offered for editing; who corrects more starts from nothing
MOST_CHARACTERS = 200_000
#: what stays the same is folded to this much on each side of a change
_CONTEXT = 240
#: words, runs of blanks, signs; every character of scripts that are written without blanks
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+|\s+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is `same`, `removed` or `added`; `is_folded` stands for text that is left out."""

    kind: str
    text: str
    is_folded: bool = False


class Correction:
    """The output of a node and the correction of it, if there is one. `output` is read only when it is needed."""

    def __init__(self, output: Callable[[], str], score: Score | None, author: str) -> None:
        self._output, self.score, self.author = output, score, author

    @cached_property
    def original(self) -> str:
        """The output as it is edited: JSON indented, a lone text without its quotes."""
        return readable(self._output())

    @property
    def is_json(self) -> bool:
        return self._output().lstrip()[:1] in ("{", "[") and json_problem(self._output()) is None

    @property
    def is_too_long(self) -> bool:
        return len(self.original) > MOST_CHARACTERS

    @property
    def text(self) -> str:
        return self.score.string_value if self.score else ""

    @property
    def to_edit(self) -> str:
        return readable(self.text) if self.score else "" if self.is_too_long else self.original

    @cached_property
    def difference(self) -> list[Piece]:
        return list(folded(compare(self.original, readable(self.text)))) if self.score else []

    @property
    def is_same(self) -> bool:
        return all(piece.kind == "same" for piece in self.difference)


def readable(raw: str) -> str:
    if raw.lstrip()[:1] not in ("{", "[", '"'):
        return raw
    try:
        value = json.loads(raw)
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        text.encode()  # half a surrogate pair can be read from an escape, and no page can be sent with it
        return text
    except (ValueError, RecursionError):
        return raw


def json_problem(text: str) -> tuple[int, int] | None:
    """Line and column of what makes this no JSON, counted from one; None when it is JSON."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return error.lineno, error.colno
    return None


def compare(before: str, after: str) -> list[Piece]:
    """By words, or by lines where there are too many words for that."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if len(old) + len(new) > 2 * _MOST_WORDS:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        if len(old) + len(new) > 2 * _MOST_LINES:
            return [Piece("removed", before), Piece("added", after)]
    return list(_pieces(old, new))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(old[old_from:old_to]))
            continue
        if old_to > old_from:
            yield Piece("removed", "".join(old[old_from:old_to]))
        if new_to > new_from:
            yield Piece("added", "".join(new[new_from:new_to]))


def folded(pieces: list[Piece]) -> Iterator[Piece]:
    for number, piece in enumerate(pieces):
        if piece.kind != "same" or len(piece.text) <= 3 * _CONTEXT:
            yield piece
            continue
        is_first, is_last = number == 0, number == len(pieces) - 1
        head, tail = "" if is_first else piece.text[:_CONTEXT], "" if is_last else piece.text[-_CONTEXT:]
        if head:
            yield Piece("same", head)
        yield Piece("same", piece.text[len(head) : len(piece.text) - len(tail)], is_folded=True)
        if tail:
            yield Piece("same", tail)
