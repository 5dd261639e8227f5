"""What the scores of one name come to, for lists: of a trace, an observation, a session or a version of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import scores

s = scores.c


@dataclass(frozen=True, slots=True)
class ScoreMean:
    """The scores of one name: the mean of numbers (None without any), or the last word given."""

    name: str
    value: float | None
    text: str
    count: int


Means = dict[str, ScoreMean]


def means_by(
    scope: ProjectScope,
    *targets: Any,
    where: Sequence[Any],
    of: tuple[FromClause, Any] | None = None,
    tag: str,
) -> dict[tuple[Any, ...], Means]:
    """By values of the targets, then by name in alphabetical order; corrections are no judgements and left out. `of` is
    what scores are joined with, and on what, where a target is not a column of theirs."""
    query = store.select(
        scope,
        scores,
        *targets,
        s.name,
        fn.avg(s.value).label("mean"),
        fn.arg_max(s.string_value, s.timestamp).label("text"),
        fn.count().label("count"),
    )
    if of is not None:
        query = query.join(*of)
    query = query.where(s.data_type != "CORRECTION", *where).group_by(*targets, s.name).order_by(s.name)
    means: dict[tuple[Any, ...], Means] = {}
    for row in store.rows(scope, query, tag=tag):
        *target, name, mean, text, count = row
        means.setdefault(tuple(target), {})[name] = ScoreMean(name, mean, text, count)
    return means


def means_of(scope: ProjectScope, target: Any, ids: Sequence[str], *, tag: str) -> dict[str, Means]:
    """Of these targets, which are one column of scores: `scores.c.session_id`, say."""
    if not ids:
        return {}
    return {key: means for (key,), means in means_by(scope, target, where=[target.in_(list(ids))], tag=tag).items()}
