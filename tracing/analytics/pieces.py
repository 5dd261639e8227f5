"""Rows into inserts of bounded size, whatever the rows hold: a thousand short spans may carry a large resource each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

#: Records of one table to column names and the bytes of their rows.
Encoder = Callable[[Sequence[Any]], tuple[list[str], bytes]]

#: What one insert may hold. The engine takes three to four times as much memory for it.
_PIECE_BYTES = 32 << 20
#: What is encoded ahead of its insert. A batch is rarely more; the rest of one that is waits as records.
_READY_BYTES = 64 << 20
#: Rows that are encoded in one go. A call for each would take as long again; beyond this there is nothing to save.
_RUN = 64


@dataclass(frozen=True, slots=True)
class Encoded:
    """Records of one table as the bytes of inserts, and those that are encoded when it is their turn."""

    columns: list[str]
    ready: list[bytes]
    rest: Sequence[Any]
    projects: frozenset[str]
    encode: Encoder

    def bodies(self) -> Iterator[bytes]:
        yield from self.ready
        for start in range(0, len(self.rest), _RUN):
            yield self.encode(self.rest[start : start + _RUN])[1]


def encoded(records: Sequence[Any], encode: Encoder) -> Encoded:
    """At least one record is needed: the columns are its fields."""
    columns: list[str] = []
    ready: list[bytes] = []
    projects = frozenset(record.project_id for record in records)
    size = 0
    for start in range(0, len(records), _RUN):
        if size >= _READY_BYTES:
            return Encoded(columns, ready, records[start:], projects, encode)
        columns, body = encode(records[start : start + _RUN])
        ready.append(body)
        size += len(body)
    return Encoded(columns, ready, (), projects, encode)


def pieces(parts: Sequence[Encoded]) -> Iterator[bytes]:
    """The bytes of one insert after the other; only a run of rows that is larger by itself makes one larger."""
    piece: list[bytes] = []
    size = 0
    for body in chain.from_iterable(part.bodies() for part in parts):
        if piece and size + len(body) > _PIECE_BYTES:
            yield b"\n".join(piece)
            piece, size = [], 0
        piece.append(body)
        size += len(body)
    if piece:
        yield b"\n".join(piece)
