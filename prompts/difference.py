"""What changed between two texts: line by line, and inside a line word by word.

The time it takes is bounded: beyond the limits below lines, or words, are simply all taken for changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import orjson

from prompts import content
from prompts.content import Content

#: Matching compares lines, and words, in pairs: so many at most.
_MOST_PAIRS = 1_000_000
_MOST_WORD_PAIRS = 4_000_000
#: unchanged lines that stay around a change
CONTEXT = 3
#: a run is folded when it hides at least this many
_WORTH_FOLDING = 4
#: Lines that have less than this in common are shown as removed and added, and not as changed.
_ALIKE = 0.4
#: words, runs of blanks, signs; every character of scripts that are written without blanks
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+|\s+|.", re.DOTALL)

SAME, REMOVED, ADDED = "same", "removed", "added"


@dataclass(frozen=True, slots=True)
class Side:
    """A line of one text: its number from 1, and its pieces with whether each is changed."""

    number: int
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Lines that stand beside each other; a side is None where the other text has a line more."""

    before: Side | None
    after: Side | None
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the two texts set one after the other."""

    kind: str
    side: Side
    #: number in the other text, where the line is in both
    other: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows; those of a folded one are all the same."""

    rows: tuple[Row, ...]
    is_folded: bool = False

    @property
    def lines(self) -> list[Line]:
        """What was removed comes before what took its place."""
        found: list[Line] = []
        added: list[Line] = []
        for row in self.rows:
            if row.is_same and row.before and row.after:
                found, added = [*found, *added, Line(SAME, row.before, row.after.number)], []
                continue
            if row.before:
                found.append(Line(REMOVED, row.before))
            if row.after:
                added.append(Line(ADDED, row.after))
        return [*found, *added]


@dataclass(frozen=True, slots=True)
class Difference:
    blocks: tuple[Block, ...]
    removed: int
    added: int

    @property
    def is_same(self) -> bool:
        return not self.removed and not self.added


def as_text(said: Content) -> str:
    """Text as it is; of messages each role on a line of its own."""
    if isinstance(said, str):
        return said
    return "\n\n".join(_message_text(message) for message in said)


def _message_text(message: dict[str, Any]) -> str:
    if message.get("type") == content.PLACEHOLDER:
        return f"── {content.PLACEHOLDER} ──\n{message['name']}"
    rest = {key: value for key, value in message.items() if key not in ("role", "content")}
    text = f"── {message['role']} ──\n{message['content']}"
    return f"{text}\n{config_text(rest)}" if rest else text


def config_text(config: Any) -> str:
    """JSON, indented, with sorted keys: only what differs looks different."""
    return orjson.dumps(config, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()


def compare(before: str, after: str) -> Difference:
    rows = list(_rows(before.splitlines(), after.splitlines()))
    removed = sum(1 for row in rows if row.before and not row.is_same)
    added = sum(1 for row in rows if row.after and not row.is_same)
    return Difference(tuple(_blocks(rows)), removed, added)


def _rows(old: list[str], new: list[str]) -> Iterator[Row]:
    words = _Words()
    for kind, old_from, old_to, new_from, new_to in _opcodes(old, new, _MOST_PAIRS):
        if kind == "equal":
            for place in range(old_to - old_from):
                text = ((old[old_from + place], False),)
                yield Row(Side(old_from + place + 1, text), Side(new_from + place + 1, text), is_same=True)
            continue
        for place in range(max(old_to - old_from, new_to - new_from)):
            left = old[old_from + place] if old_from + place < old_to else None
            right = new[new_from + place] if new_from + place < new_to else None
            left_pieces, right_pieces = words.pieces(left, right)
            yield Row(
                None if left is None else Side(old_from + place + 1, left_pieces),
                None if right is None else Side(new_from + place + 1, right_pieces),
            )


def _opcodes(old: Sequence[str], new: Sequence[str], most_pairs: int) -> Iterator[tuple[str, int, int, int, int]]:
    """As difflib has them. What begins and ends alike is found first, as most texts change in one place."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old_end, new_end = len(old) - tail, len(new) - tail
    if head:
        yield "equal", 0, head, 0, head
    if (old_end - head) * (new_end - head) > most_pairs:
        yield "replace", head, old_end, head, new_end
    elif old_end > head or new_end > head:
        matcher = SequenceMatcher(None, old[head:old_end], new[head:new_end], autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            yield kind, a + head, b + head, c + head, d + head
    if tail:
        yield "equal", old_end, len(old), new_end, len(new)


class _Words:
    """Which words of a changed line changed. All lines together compare so many pairs, and no more."""

    def __init__(self) -> None:
        self._left = _MOST_WORD_PAIRS

    def pieces(
        self, old: str | None, new: str | None
    ) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
        whole = ((old or "", False),), ((new or "", False),)
        if not old or not new:
            return whole
        old_words, new_words = _WORDS.findall(old), _WORDS.findall(new)
        self._left -= len(old_words) * len(new_words)
        if self._left < 0:
            return whole
        codes = list(_opcodes(old_words, new_words, _MOST_PAIRS))
        same = sum(len("".join(old_words[a:b])) for kind, a, b, _, _ in codes if kind == "equal")
        if 2 * same < _ALIKE * (len(old) + len(new)):
            return whole
        left = [("".join(old_words[a:b]), kind != "equal") for kind, a, b, _, _ in codes if b > a]
        right = [("".join(new_words[c:d]), kind != "equal") for kind, _, _, c, d in codes if d > c]
        return tuple(left), tuple(right)


def _blocks(rows: list[Row]) -> Iterator[Block]:
    """Long runs of what is the same are folded but for some lines beside each change."""
    start = 0
    while start < len(rows):
        end = start
        while end < len(rows) and rows[end].is_same == rows[start].is_same:
            end += 1
        run = rows[start:end]
        head = CONTEXT if start else 0
        tail = CONTEXT if end < len(rows) else 0
        if run[0].is_same and len(run) >= head + tail + _WORTH_FOLDING:
            if head:
                yield Block(tuple(run[:head]))
            yield Block(tuple(run[head : len(run) - tail]), is_folded=True)
            if tail:
                yield Block(tuple(run[len(run) - tail :]))
        else:
            yield Block(tuple(run))
        start = end
