"""All that matches, batch by batch: for work on many rows, and for exports."""

from __future__ import annotations

from collections.abc import Iterator

from accounts.access import ProjectScope
from config.errors import Invalid
from tracing.analytics.tables import observations, traces
from tracing.queries.explorer import filling
from tracing.queries.explorer.cursor import read_place
from tracing.queries.explorer.listing import by_time, key_of, place_of
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Batch
from tracing.queries.explorer.wanted import Sort, Wanted

t, o = traces.c, observations.c

_NEWEST_FIRST = Sort()
_KEYS = {Noun.TRACES: (t.id, t.timestamp), Noun.OBSERVATIONS: (o.trace_id, o.id, o.start_time)}


def each_batch(
    scope: ProjectScope,
    wanted: Wanted,
    *,
    size: int = 500,
    with_rows: bool = True,
    with_content: bool = False,
    score_names: tuple[str, ...] = (),
) -> Iterator[Batch]:
    """Every row that matches, newest first whatever the order of the list, in batches of at most `size`. What arrives
    meanwhile is newer and stays out; a trace whose beginning arrives late, and which so moves back, comes once.

    `wanted.before` takes up a walk behind the cursor of an earlier batch. Raises Invalid for a query that has problems:
    work on all that matches must not be work on more than was meant."""
    if wanted.query.problems:
        problem = wanted.query.problems[0]
        raise Invalid(problem.message)
    seen: set[int] = set()
    place = read_place(wanted.before, str(_NEWEST_FIRST))
    columns = filling.COLUMNS[wanted.noun] if with_rows else _KEYS[wanted.noun]
    while True:
        found = by_time(scope, wanted, columns, size, place)
        if not found:
            return
        place = place_of(wanted.noun, found[-1], _NEWEST_FIRST)
        fresh = []
        for row in found:
            key = key_of(wanted.noun, row)
            mark = hash((key.trace_id, key.id))
            if mark not in seen:
                seen.add(mark)
                fresh.append(row)
        rows = (
            filling.fill(scope, wanted, fresh, score_names=score_names, with_content=with_content) if with_rows else []
        )
        yield Batch([key_of(wanted.noun, row) for row in fresh], rows, str(place))
        if len(found) < size:
            return
