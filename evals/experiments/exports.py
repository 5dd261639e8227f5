"""A comparison as a file: a line for each run of each item, with all that went in and came out.

Rows are read some at a time. A failure on the way ends JSON with a line `{"error": …}`, and CSV with a row `ERROR` and
a broken connection, so that a download fails too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.api.values import iso, to_json
from config.errors import SpanwiseError
from evals.experiments.comparison import Attempt, Item
from evals.queries.experiment_comparison import Loaded, Texts, said_by_items, texts_of
from evals.queries.item_versions import Said
from tracing.queries.exports import csv_line

_BATCH = 50
#: of one text; longer ones would not be read back by anything that reads tables
MOST_CHARACTERS = 10_000_000
_SCORE = "scores."
_FIELDS = (
    "item", "experiment", "experiment_id", "repetition", "trace", "observation", "time", "input", "expected_output",
    "output", "is_error", "status", "latency", "cost", "tokens",
)  # fmt: skip


def written(scope: ProjectScope, loaded: Loaded, items: Sequence[Item], kind: str) -> Iterator[bytes]:
    """Pieces of the file; `kind` is csv or jsonl."""
    names = sorted({metric.name for metric in loaded.comparison.metrics if metric.is_score})
    rows = _rows(scope, loaded, items, names)
    return _as_csv(rows, names) if kind == "csv" else _as_lines(rows)


def _as_lines(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    try:
        for row in rows:
            yield to_json(row) + b"\n"
    except SpanwiseError as error:
        yield to_json({"error": _("The export is incomplete: %(why)s") % {"why": error.message}}) + b"\n"


def _as_csv(rows: Iterator[dict[str, Any]], names: Sequence[str]) -> Iterator[bytes]:
    # Without the mark Excel takes the file for one of the last century's code pages.
    yield b"\xef\xbb\xbf" + csv_line([*_FIELDS, *(_SCORE + name for name in names)])
    try:
        for row in rows:
            values = [row[field] for field in _FIELDS] + [row["scores"].get(name) for name in names]
            yield csv_line(["" if value is None else value for value in values])
    except SpanwiseError as error:
        yield csv_line(["ERROR", _("The export is incomplete: %(why)s") % {"why": error.message}])
        raise


def _rows(scope: ProjectScope, loaded: Loaded, items: Sequence[Item], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(items), _BATCH):
        some = items[start : start + _BATCH]
        texts = texts_of(scope, some, most=MOST_CHARACTERS, every=True)
        said = said_by_items(scope, some)
        for item in some:
            for experiment, cell in zip(loaded.experiments, item.cells, strict=True):
                for number, attempt in enumerate(cell.attempts if cell else (), 1):
                    yield {
                        "item": item.id,
                        "experiment": experiment.name,
                        "experiment_id": experiment.experiment_id,
                        "repetition": number,
                        **_of_attempt(attempt, texts.get(attempt.pk, Texts()), said.get(item.id)),
                        "scores": _scores(attempt, names),
                    }


def _of_attempt(attempt: Attempt, texts: Texts, said: Said | None) -> dict[str, Any]:
    return {
        "trace": attempt.trace_id,
        "observation": attempt.root_id or None,
        "time": iso(attempt.at),
        "input": (said.input if said else "") or texts.input or None,
        "expected_output": (said.expected if said else "") or texts.expected or None,
        "output": texts.output or None,
        "is_error": attempt.is_error,
        "status": texts.status or None,
        "latency": None if attempt.latency_us is None else attempt.latency_us / 1_000_000,
        "cost": None if attempt.cost is None else float(attempt.cost),
        "tokens": attempt.tokens,
    }


def _scores(attempt: Attempt, names: Sequence[str]) -> dict[str, Any]:
    given = {name: attempt.scores[name] for name in names if name in attempt.scores}
    return {name: one.text if one.number is None else one.number for name, one in given.items()}
