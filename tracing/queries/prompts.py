"""What versions of prompts came to in practice: uses, speed, tokens, cost and scores, read off the generations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, and_, null

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import ScoreType
from tracing.analytics.tables import observations, scores
from tracing.queries.bounds import within
from tracing.queries.periods import Period
from tracing.queries.score_means import ScoreMean, means_by

o, s = observations.c, scores.c

#: versions of one prompt that are told apart, those with the most uses
_MOST_VERSIONS = 500


@dataclass(frozen=True, slots=True)
class VersionScore:
    """All scores of one name: the mean of numbers, and of yes and no; of categories, the one that was given most often
    and its share from 0 to 1."""

    count: int
    mean: float | None = None
    category: str = ""
    share: float | None = None

    @property
    def percent(self) -> int:
        return round(100 * (self.share or 0))


Scores = dict[str, VersionScore]


@dataclass(frozen=True, slots=True)
class VersionUse:
    """Of one version in a stretch of time. Medians are of single uses; None where no use told the figure."""

    version: int
    uses: int
    errors: int
    latency_us: float | None
    input_tokens: float | None
    output_tokens: float | None
    #: of all uses together, and of the middle one
    cost: Decimal
    median_cost: float | None
    first_at: datetime
    last_at: datetime
    #: of the generations themselves, and of the traces they are in; by name
    scores: Scores = field(default_factory=dict)
    trace_scores: Scores = field(default_factory=dict)


def uses_by_prompt(scope: ProjectScope, names: Sequence[str], period: Period) -> dict[str, int]:
    """How often each of these prompts was used, whichever version. Those that were not are left out."""
    if not names:
        return {}
    query = (
        store.select(scope, observations, o.prompt_name.label("name"), fn.count().label("uses"))
        .where(o.prompt_name.in_(list(names)), *within(o.start_time, period))
        .group_by(o.prompt_name)
    )
    return {row.name: row.uses for row in store.rows(scope, query, tag="prompt-uses")}


def uses_by_version(scope: ProjectScope, name: str, period: Period) -> dict[int, VersionUse]:
    """Figures of each version of one prompt that was used. Raises TooExpensive and Unavailable."""
    query = (
        store.select(scope, observations, *_columns())
        .where(*_used(name, period))
        .group_by(o.prompt_version)
        .order_by(fn.count().desc())
        .limit(_MOST_VERSIONS)
    )
    found = store.rows(scope, query, tag="prompt-versions")
    if not found:
        return {}
    own, of_traces = _scores(scope, name, period, is_own=True), _scores(scope, name, period, is_own=False)
    return {row.version: _use(row, own.get(row.version, {}), of_traces.get(row.version, {})) for row in found}


def _columns() -> list[Any]:
    # What told no tokens, or has no price, would pull the middle down. (An approximate median takes one of two.)
    tokens = [fn.if_else(o.total_tokens > 0, side, null()) for side in (o.input_tokens, o.output_tokens)]
    cost = fn.if_else(o.total_cost > 0, fn.to_float(o.total_cost), null())
    return [
        o.prompt_version.label("version"),
        fn.count().label("uses"),
        fn.count_if(o.level == "ERROR").label("errors"),
        fn.quantile_sampled(o.latency_us, q=0.5).label("latency_us"),
        fn.quantile_sampled(tokens[0], q=0.5).label("input_tokens"),
        fn.quantile_sampled(tokens[1], q=0.5).label("output_tokens"),
        fn.sum(o.total_cost).label("cost"),
        fn.quantile_sampled(cost, q=0.5).label("median_cost"),
        fn.min(o.start_time).label("first_at"),
        fn.max(o.start_time).label("last_at"),
    ]


def _used(name: str, period: Period) -> list[Any]:
    return [o.prompt_name == name, o.prompt_version.is_not(None), *within(o.start_time, period)]


def _use(row: Any, own: Scores, of_traces: Scores) -> VersionUse:
    return VersionUse(**row._asdict(), scores=own, trace_scores=of_traces)


def _scores(scope: ProjectScope, name: str, period: Period, *, is_own: bool) -> dict[int, Scores]:
    """By version and name; free texts have nothing in common. What is judged was there before, so none is older than
    the period's beginning."""
    used = _scored(scope, name, period, is_own=is_own).subquery("used")
    target = (
        and_(used.c.trace_id == s.trace_id, used.c.id == s.observation_id) if is_own else used.c.trace_id == s.trace_id
    )
    since = [s.timestamp >= period.since] if period.since else []
    is_of_it = s.observation_id != "" if is_own else s.observation_id == ""
    category = fn.if_else(s.data_type == ScoreType.CATEGORICAL, s.string_value, "")
    where = [s.data_type != ScoreType.TEXT, is_of_it, *since]
    means = means_by(scope, used.c.version, category, where=where, of=(used, target), tag="prompt-scores")
    given: dict[int, dict[str, list[ScoreMean]]] = {}
    for (version, word), found in means.items():
        for mean in found.values():
            given.setdefault(version, {}).setdefault(mean.name, []).append(replace(mean, text=word))
    return {version: {name: _together(found[name]) for name in sorted(found)} for version, found in given.items()}


def _together(given: Sequence[ScoreMean]) -> VersionScore:
    """Of one name: its numbers are one of these, each of its categories is another one."""
    count = sum(mean.count for mean in given)
    most = max(given, key=lambda mean: (mean.count, mean.text))
    if not most.text:
        return VersionScore(most.count, mean=most.value)
    return VersionScore(count, category=most.text, share=most.count / count)


def _scored(scope: ProjectScope, name: str, period: Period, *, is_own: bool) -> Select[Any]:
    """The generations that used it, or the traces they are in, each once a version."""
    version = o.prompt_version.label("version")
    if is_own:
        return store.select(scope, observations, o.trace_id, o.id, version).where(*_used(name, period))
    found = store.select(scope, observations, o.trace_id, version).where(*_used(name, period))
    return found.group_by(o.trace_id, o.prompt_version)
