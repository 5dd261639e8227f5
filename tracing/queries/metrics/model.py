"""What a metric is asked with: views made of dimensions and measures, and the one query object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.queries.filters import Column, Filter

#: The label of the bucket of time in a row.
TIME = "time_dimension"
#: Any bucket that `fn.bucket` has may be asked for; these are those that the public API names.
UNITS = ("minute", "hour", "day", "week", "month")
#: What a view's metadata has under a key is a dimension, too: `metadata.region`.
METADATA = "metadata."
DEFAULT_BINS = 10


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something to group by. Absent text shows as null."""

    expression: Any
    kind: str = "text"
    #: so many values that newer clients must ask for the top few
    is_high_cardinality: bool = False
    #: of the view's joins, the one that `expression` needs
    join: str = ""
    #: a list, of which each member makes a group: records without members are in none
    is_exploded: bool = False
    #: what a filter reads where that is not what is shown
    filtered: Column | None = None

    @property
    def column(self) -> Column:
        return self.filtered or Column(self.kind, self.expression)


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to aggregate: a value of each record; without an expression each counts as one."""

    expression: Any = None
    is_number: bool = True
    join: str = ""
    #: `expression` is a map, and this the exploded dimension of its keys, which comes along unasked
    by: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows beside those of a view. Unless `is_outer`, records without a partner are left out."""

    source: Any
    on: Any
    is_outer: bool = False


Join = Callable[[ProjectScope, "MetricsQuery"], Joined]


@dataclass(frozen=True, slots=True)
class View:
    """A kind of record seen through its dimensions and measures."""

    name: str
    table: Table
    time: Any
    dimensions: Mapping[str, Dimension]
    measures: Mapping[str, Measure]
    joins: Mapping[str, Join] = field(default_factory=dict)
    #: filters beside the dimensions
    columns: Mapping[str, Column] = field(default_factory=dict)
    #: which rows of the table belong to the view
    where: tuple[ColumnElement[bool], ...] = ()
    #: what the metadata have under a key; unless it is said, they are a map
    metadata_value: Callable[[str], Any] | None = None
    #: whether dimensions of high cardinality need a limit
    is_careful: bool = False

    def dimension(self, name: str) -> Dimension | None:
        """One of `dimensions`, or what metadata say under a key; None for anything else."""
        known = self.dimensions.get(name)
        key = name.removeprefix(METADATA)
        if known is not None or key == name or not key or "metadata" not in self.columns:
            return known
        value = self.metadata_value or (lambda name: fn.map_get(self.columns["metadata"].expression, name))
        return Dimension(value(key), is_high_cardinality=True)

    @property
    def filter_columns(self) -> dict[str, Column]:
        return {**{name: one.column for name, one in self.dimensions.items()}, **self.columns}


@dataclass(frozen=True, slots=True)
class Metric:
    measure: str
    aggregation: str

    @property
    def label(self) -> str:
        return f"{self.aggregation}_{self.measure}"


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """What a chart, a widget or a call of the metrics API asks. Both ends of the range belong to it."""

    view: View
    metrics: tuple[Metric, ...]
    from_time: datetime
    to_time: datetime
    dimensions: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    #: one of `fn.UNITS`; empty for no buckets of time
    unit: str = ""
    #: (label, is descending) pairs; none means by time, else by the first metric downwards
    order: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None
    bins: int = DEFAULT_BINS

    @property
    def grouped_by(self) -> tuple[str, ...]:
        """The dimensions, and those without which a measure says nothing."""
        needed = (self.view.measures[one.measure].by for one in self.metrics)
        return tuple(dict.fromkeys([*self.dimensions, *(name for name in needed if name)]))

    def dimension(self, name: str) -> Dimension:
        """Of a query that was checked: one that it names is there."""
        found = self.view.dimension(name)
        assert found is not None
        return found

    @property
    def in_range(self) -> tuple[ColumnElement[bool], ...]:
        """Conditions on the view's own table."""
        return (self.view.time >= self.from_time, self.view.time <= self.to_time, *self.view.where)
