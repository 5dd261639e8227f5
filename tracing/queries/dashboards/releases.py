"""What changed when: the first time that a release, or a version of a prompt, was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, traces
from tracing.queries.dashboards.figure import Span

#: More lines than that cannot be told apart on an axis of time.
MOST_MARKS = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the axis of time, and what began there."""

    at: datetime
    name: str


def list_releases(scope: ProjectScope, span: Span, environments: Sequence[str] = ()) -> list[Mark]:
    """Releases that began within the span, the oldest first; of many, the newest. One that traces had in the stretch
    before the span already did not begin in it."""
    return _began(scope, traces, (traces.c.release,), traces.c.timestamp, span, environments)


def list_prompt_versions(scope: ProjectScope, span: Span, environments: Sequence[str] = ()) -> list[Mark]:
    """The same of versions of prompts, as `name v3`."""
    o = observations.c
    return _began(scope, observations, (o.prompt_name, o.prompt_version), o.start_time, span, environments)


def _began(
    scope: ProjectScope, table: Any, names: tuple[Any, ...], time: Any, span: Span, environments: Sequence[str]
) -> list[Mark]:
    first = fn.min(time).label("first")
    query = store.select(scope, table, *names, first)
    query = query.where(time >= span.before.since, time < span.until, names[0] != "")
    if environments:
        query = query.where(table.c.environment.in_(list(environments)))
    query = query.group_by(*names).having(fn.min(time) >= span.since).order_by(first.desc()).limit(MOST_MARKS)
    rows = store.rows(scope, query, tag="dashboard-marks")
    return [Mark(row[-1], _written(*row[:-1])) for row in reversed(rows)]


def _written(name: str, version: int | None = None) -> str:
    return name if version is None else f"{name} v{version}"
