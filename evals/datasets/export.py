"""Items as a file that can be read in again without loss: streamed, all there are, or as they were at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from django.db import DatabaseError
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.api.values import to_json
from evals.datasets.files import CSV, JSONL, TARGETS, cell_of, text_cell
from evals.models import Dataset
from evals.queries import items as queries
from evals.queries.items import Item

FORMATS = {CSV: "text/csv; charset=utf-8", JSONL: "application/x-ndjson"}
COLUMNS = ("id", "input", "expected_output", "metadata", "status", "source_trace_id", "source_observation_id")
_AT_A_TIME = 200


def export(
    scope: ProjectScope, dataset: Dataset, format: str, *, as_of: datetime | None = None, now: datetime
) -> Iterator[bytes]:
    """All items, archived ones too, the oldest first: as they are `now`, whatever is written meanwhile."""
    return _as_csv(scope, dataset, as_of or now) if format == CSV else _as_lines(scope, dataset, as_of or now)


def _batches(scope: ProjectScope, dataset: Dataset, as_of: datetime) -> Iterator[list[Item]]:
    place: dict[str, object] = {}
    while True:
        found = queries.next_items(scope, dataset, as_of=as_of, after=place, limit=_AT_A_TIME, status=None)
        if not found:
            return
        yield found
        place = queries.place_of(found[-1])


def _as_lines(scope: ProjectScope, dataset: Dataset, as_of: datetime) -> Iterator[bytes]:
    try:
        for batch in _batches(scope, dataset, as_of):
            yield b"".join(to_json({TARGETS[name]: getattr(item, name) for name in COLUMNS}) + b"\n" for item in batch)
    except DatabaseError:
        # What was cut short says so, and the connection breaks, so that the download fails, too.
        yield to_json({"error": _("The export is incomplete.")}) + b"\n"
        raise


def _as_csv(scope: ProjectScope, dataset: Dataset, as_of: datetime) -> Iterator[bytes]:
    # Without the mark Excel takes the file for one of the last century's code pages.
    yield b"\xef\xbb\xbf" + _line([TARGETS[name] for name in COLUMNS])
    try:
        for batch in _batches(scope, dataset, as_of):
            yield b"".join(_line(_cells(item)) for item in batch)
    except DatabaseError:
        yield _line(["ERROR", _("The export is incomplete.")])
        raise


def _cells(item: Item) -> list[str]:
    said = [cell_of(item.input), cell_of(item.expected_output), cell_of(item.metadata)]
    return [
        text_cell(item.id),
        *said,
        item.status,
        text_cell(item.source_trace_id),
        text_cell(item.source_observation_id),
    ]


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8", "replace")
