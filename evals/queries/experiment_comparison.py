"""Experiments read to be compared: everything narrow of all items at once, what is wide for the rows that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from accounts.access import ProjectScope
from evals.experiments.comparison import Attempt, Comparison, Item, ScoreValue, value_of
from evals.models import Experiment
from evals.queries.experiment_spans import Given, Key, Measured, Ran, measured_and_scored, places_of, read_roots
from evals.queries.item_versions import Said, said_when_run
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, traces

o, t = observations.c, traces.c

#: runs of items of one experiment that are looked at; the page says so where there are more
MOST_RUNS = 20_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a comparison is made of."""

    comparison: Comparison
    experiments: list[Experiment]
    #: whether there are more runs of items than were read
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """What went into a run of an item and came out, cut; `status` is why it failed."""

    input: str = ""
    output: str = ""
    expected: str = ""
    status: str = ""


def compare_experiments(scope: ProjectScope, experiments: Sequence[Experiment], *, lower: Iterable[str] = ()) -> Loaded:
    """The baseline comes first. Raises TooExpensive and Unavailable."""
    rows = _rows(experiments)
    runs = [_ran(row) for row in rows]
    measures, scores = measured_and_scored(scope, runs)
    attempts: dict[int, list[Attempt]] = {experiment.pk: [] for experiment in experiments}
    for row in rows:
        key = (row.trace_id, row.observation_id)
        attempts[row.experiment_id].append(_attempt(row, measures.get(key), scores.get(key, ())))
    is_cut = any(len(those) >= MOST_RUNS for those in attempts.values())
    comparison = Comparison([attempts[experiment.pk] for experiment in experiments], lower=lower)
    return Loaded(comparison, list(experiments), is_cut)


def _rows(experiments: Sequence[Experiment]) -> list[Any]:
    """As named tuples: thousands of models would take as long as all the rest."""
    fields = ("pk", "experiment_id", "item_id", "item_version", "trace_id", "observation_id", "started_at")
    more = ("ended_at", "level", "status", "created_at")
    found: list[Any] = []
    for experiment in experiments:
        rows = experiment.items.values_list(*fields, *more, named=True).order_by("repetition", "created_at", "pk")
        found += rows[:MOST_RUNS]
    return found


def _ran(row: Any) -> Ran:
    near = row.started_at or row.created_at
    return Ran(row.item_id, row.trace_id, row.observation_id, row.started_at, row.ended_at, near)


def _attempt(row: Any, measured: Measured | None, given: Sequence[Given]) -> Attempt:
    level = measured.level if measured else row.level
    latency = measured.latency_us if measured else None
    if latency is None and row.started_at and row.ended_at:
        latency = round((row.ended_at - row.started_at).total_seconds() * 1_000_000)
    return Attempt(
        pk=row.pk,
        item_id=row.item_id,
        trace_id=row.trace_id,
        root_id=row.observation_id or (measured.root_id if measured else ""),
        at=row.started_at or (measured.started_at if measured else row.created_at),
        status=row.status,
        is_error=level == "ERROR" or row.level == "ERROR",
        latency_us=latency,
        cost=measured.cost if measured else None,
        tokens=measured.tokens if measured else None,
        item_version=row.item_version,
        is_whole_trace=not row.observation_id,
        scores=_by_name(given),
    )


def _by_name(given: Sequence[Given]) -> dict[str, ScoreValue]:
    by_name: dict[str, list[tuple[str, float, str, str]]] = {}
    for one in given:
        by_name.setdefault(one.name, []).append((one.data_type, one.value, one.text, one.comment))
    return {name: value_of(those) for name, those in by_name.items()}


# --- What is wide -----------------------------------------------------------------------------------------
def texts_of(scope: ProjectScope, items: Sequence[Item], *, most: int, every: bool = False) -> dict[int, Texts]:
    """By number of the attempt: of each first one, or of `every` one. Texts have `most` characters at most."""
    cells = [cell for item in items for cell in item.cells if cell is not None]
    shown = [attempt for cell in cells for attempt in (cell.attempts if every else cell.attempts[:1])]
    runs = [Ran(one.item_id, one.trace_id, one.root_id, one.at, one.at, one.at) for one in shown]
    if not runs:
        return {}
    places = places_of(scope, runs)
    columns = (
        fn.text_start(o.input, most).label("input"),
        fn.text_start(o.output, most).label("output"),
        fn.text_start(o.experiment_item_expected_output, most).label("expected"),
        fn.text_start(o.status_message, most).label("status"),
    )
    rows = read_roots(scope, places, *columns, tag="experiment-texts")
    whole = {(one.trace_id, one.root_id) for one in shown if one.is_whole_trace}
    of_traces = _of_traces(scope, {key for key in places if key in whole or not _says(rows, key)}, most)
    found: dict[int, Texts] = {}
    for one in shown:
        row, told = rows.get((one.trace_id, one.root_id)), of_traces.get(one.trace_id, ("", ""))
        given = (row.input, row.output) if row else ("", "")
        first, second = (told, given) if one.is_whole_trace else (given, told)
        found[one.pk] = Texts(
            first[0] or second[0],
            first[1] or second[1],
            row.expected if row else "",
            row.status if row else "",
        )
    return found


def _says(rows: dict[Key, object], key: Key) -> bool:
    row = rows.get(key)
    return bool(row is not None and (getattr(row, "output", "") or getattr(row, "status", "")))


def _of_traces(scope: ProjectScope, keys: set[Key], most: int) -> dict[str, tuple[str, str]]:
    """Older clients tell what came out with the trace."""
    if not keys:
        return {}
    columns = (t.id, fn.text_start(t.input, most).label("i"), fn.text_start(t.output, most).label("o"))
    query = store.select(scope, traces, *columns).where(t.id.in_(sorted({key[0] for key in keys})))
    return {row[0]: (row[1], row[2]) for row in store.rows(scope, query, tag="experiment-trace-texts")}


def said_by_items(scope: ProjectScope, items: Sequence[Item]) -> dict[str, Said]:
    """What the dataset says of each, by id of the item: in the version that the first of the experiments ran."""
    runs = {item.id: next(cell.first.pk for cell in item.cells if cell is not None) for item in items}
    said = said_when_run(scope, runs.values())
    return {item_id: said[run] for item_id, run in runs.items() if run in said}


def as_said(text: str) -> str:
    """JSON as people read it: a text without its quotes, all else indented. Anything that is no JSON stays as it is."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return text
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if isinstance(value, dict | list) else text
