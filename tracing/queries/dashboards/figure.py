"""What a chart looks at, and what it draws."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tracing.queries.dashboards.definition import Definition
from tracing.queries.filters import Filter
from tracing.queries.periods import Period

if TYPE_CHECKING:
    from tracing.queries.dashboards.releases import Mark

Value = float | int | None
#: The values of a group's dimensions as texts; None where there is none.
Keys = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """What a chart looks at: from `since` on, before `until`. It is compared with the same stretch `back` before."""

    since: datetime
    until: datetime
    back: timedelta

    @classmethod
    def between(cls, since: datetime, until: datetime) -> Span:
        return cls(since, until, until - since)

    @property
    def before(self) -> Span:
        return Span(self.since - self.back, self.until - self.back, self.back)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a page looks at: a time range, environments, and filters as they were sent, of which each chart takes those
    that its view has a column for."""

    period: Period
    environments: tuple[str, ...] = ()
    filters: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """One value of each dimension, and one value for each metric; `before` in the period before, if that was asked."""

    keys: Keys
    values: tuple[Value, ...]
    before: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A metric of a group in time: a value for each of the figure's `starts`. Without keys it is of everything;
    `is_rest`: of all groups that have no line."""

    metric: int
    values: list[Value]
    keys: Keys = ()
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """What a chart draws. Lists that do not belong to its kind are empty."""

    definition: Definition
    span: Span
    groups: list[Group]
    #: a value for each metric, of everything together; empty where that was not asked
    total: Group | None = None
    unit: str = ""
    starts: tuple[datetime, ...] = ()
    lines: tuple[Line, ...] = ()
    #: the lines of the period before, in the same order of buckets
    before: tuple[Line, ...] = ()
    #: bars of a histogram: from, to, how many
    bars: tuple[tuple[float, float, float], ...] = ()
    #: whether there are more groups than `groups`
    is_cut: bool = False
    #: filters of the page that hold for it, under the names of its view
    applied: tuple[Filter, ...] = ()
    #: columns of the page's filters that the chart's view does not have
    unapplied: tuple[str, ...] = ()
    #: what began meanwhile, for the axis of time
    marks: tuple[Mark, ...] = ()

    @property
    def is_widened(self) -> bool:
        """Whether its buckets are wider than the definition wants, because there would be too many."""
        wished = self.definition.config.unit
        return bool(self.unit and wished) and self.unit != wished

    @property
    def is_empty(self) -> bool:
        values = [*(self.total.values if self.total else ()), *(value for one in self.groups for value in one.values)]
        return not self.bars and not any(values) and not any(any(line.values) for line in self.lines)
