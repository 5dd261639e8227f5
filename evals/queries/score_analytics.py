"""One or two scores looked at closely: how many, how they lie, how they went, and how far they agree.

Totals are counted by the store. All else is computed from the newest values of each, at most `MOST` of them, which is
said where it leaves some out.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts.access import ProjectScope
from evals.queries.scores import ScoreWanted, clauses_of
from evals.statistics.agreement import LabelsCompared, NumbersCompared, compare_labels, compare_numbers
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import ScoreType
from tracing.analytics.tables import scores
from tracing.queries.metrics.buckets import auto_unit, bucket_start, next_bucket
from tracing.queries.periods import Period

#: values of one score that are read; so many come in about a second
MOST = 50_000
BINS = 10
#: more categories make neither a chart nor a table
MOST_LABELS = 20
#: sums of squares of larger numbers are beyond what a float holds
LARGEST = 1e150
_MOST_NAMES = 200

s = scores.c
_LABELLED = (ScoreType.CATEGORICAL.value, ScoreType.BOOLEAN.value)


@dataclass(frozen=True, slots=True)
class ScoreKey:
    """Which score: names alone are not enough, as people and judges may use the same."""

    name: str
    data_type: str
    source: str

    def __str__(self) -> str:
        return f"{self.source}:{self.data_type}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> ScoreKey | None:
        source, _colon, rest = text.partition(":")
        data_type, colon, name = rest.partition(":")
        return cls(name, data_type, source) if colon and name and "\x00" not in text else None

    @property
    def is_number(self) -> bool:
        return self.data_type == ScoreType.NUMERIC

    def fits(self, other: ScoreKey) -> bool:
        """Whether the two can be compared."""
        return self.is_number == other.is_number


@dataclass(frozen=True, slots=True)
class Choice:
    key: ScoreKey
    count: int


@dataclass(frozen=True, slots=True)
class Value:
    """One score: what it is about, when, and what it says, as a number or a label."""

    target: tuple[str, str, str, str]
    at: datetime
    number: float
    label: str


@dataclass(frozen=True, slots=True)
class NumberFacts:
    mean: float
    median: float
    #: of the sample; None of one value
    deviation: float | None
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class LabelFacts:
    mode: str
    mode_share: float
    labels: int

    @property
    def mode_percent(self) -> str:
        return f"{self.mode_share:.0%}"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two scores. `total` counts all, `values` are those that were read, without the `too_large`."""

    key: ScoreKey
    total: int
    values: list[Value]
    facts: NumberFacts | LabelFacts | None
    too_large: int = 0

    @property
    def is_sampled(self) -> bool:
        return self.total > len(self.values) + self.too_large


@dataclass(frozen=True, slots=True)
class Bin:
    """A stretch of values, or a label, and how many of each side lie there."""

    name: str
    counts: tuple[int, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A stretch of time: for each side the mean (of truth values: the share of true) and the number of scores. Of
    categories the mean is None."""

    at: datetime
    means: tuple[float | None, ...]
    counts: tuple[int, ...]

    @property
    def sides(self) -> list[tuple[float | None, int]]:
        return list(zip(self.means, self.counts, strict=True))


@dataclass(frozen=True, slots=True)
class Pairs:
    """What both scores say about the same things."""

    numbers: NumbersCompared | None
    labels: LabelsCompared | None
    #: of numbers: rows are stretches of the first score, columns of the second
    heat: tuple[tuple[int, ...], ...] = ()
    rows: tuple[Bin, ...] = ()
    columns: tuple[Bin, ...] = ()
    #: things that only one of the two is about
    only_first: int = 0
    only_second: int = 0

    @property
    def count(self) -> int:
        compared = self.numbers or self.labels
        return compared.pairs if compared else 0


@dataclass(frozen=True, slots=True)
class Analysis:
    sides: list[Side]
    bins: list[Bin] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    unit: str = "day"
    pairs: Pairs | None = None

    @property
    def is_sampled(self) -> bool:
        return any(side.is_sampled for side in self.sides)

    @property
    def too_large(self) -> int:
        return sum(side.too_large for side in self.sides)


def list_choices(scope: ProjectScope, period: Period, kind: str = "") -> list[Choice]:
    """The scores that there are, by name; texts and corrections have nothing to count."""
    number = fn.count().label("n")
    query = (
        store.select(scope, scores, s.name, s.data_type, s.source, number)
        .where(*clauses_of(scope, _all_of(period, kind)), s.data_type.in_((*_LABELLED, ScoreType.NUMERIC.value)))
        .group_by(s.name, s.data_type, s.source)
        .order_by(number.desc())
        .limit(_MOST_NAMES)
    )
    found = store.rows(scope, query, tag="score-names")
    choices = [Choice(ScoreKey(row.name, row.data_type, row.source), int(row.n)) for row in found]
    return sorted(choices, key=lambda choice: (choice.key.name, choice.key.source, choice.key.data_type))


def analyse(scope: ProjectScope, keys: Sequence[ScoreKey], *, period: Period, kind: str = "") -> Analysis:
    """Of one or two scores that fit each other."""
    sides = [_side(scope, key, period, kind) for key in keys]
    unit, points = _trend(sides)
    return Analysis(sides, _distribution(sides), points, unit, _pairs(*sides) if len(sides) == 2 else None)


def _all_of(period: Period, kind: str) -> ScoreWanted:
    return ScoreWanted(period=period, chosen={"kind": (kind,)} if kind else {})


def _side(scope: ProjectScope, key: ScoreKey, period: Period, kind: str) -> Side:
    chosen = {"name": (key.name,), "type": (key.data_type,), "source": (key.source,)}
    wanted = ScoreWanted(period=period, chosen={**chosen, **({"kind": (kind,)} if kind else {})})
    where = clauses_of(scope, wanted)
    total = store.rows(scope, store.select(scope, scores, fn.count().label("n")).where(*where), tag="score-total")
    columns = (s.id, s.timestamp, s.trace_id, s.observation_id, s.session_id, s.dataset_run_id, s.value)
    rows = store.newest(scope, scores, *columns, s.string_value, where=where, limit=MOST, tag="score-values")
    values = [value for row in rows if (value := _value(row, key)) is not None]
    charted = [value for value in values if abs(value.number) <= LARGEST]
    return Side(key, int(total[0].n), charted, _facts(key, charted), len(values) - len(charted))


def _value(row: Any, key: ScoreKey) -> Value | None:
    if key.is_number and row.value is None:
        return None
    target = (row.trace_id, row.observation_id, row.session_id, row.dataset_run_id)
    label = row.string_value or ("True" if row.value else "False")
    return Value(target, row.timestamp, float(row.value or 0.0), "" if key.is_number else label)


def _facts(key: ScoreKey, values: list[Value]) -> NumberFacts | LabelFacts | None:
    if not values:
        return None
    if not key.is_number:
        counted = Counter(value.label for value in values)
        mode, number = min(counted.items(), key=lambda item: (-item[1], item[0]))
        return LabelFacts(mode, number / len(values), len(counted))
    numbers = [value.number for value in values]
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else None
    return NumberFacts(statistics.fmean(numbers), statistics.median(numbers), deviation, min(numbers), max(numbers))


# --- How they lie ----------------------------------------------------------------------------------------
def _distribution(sides: Sequence[Side]) -> list[Bin]:
    if not any(side.values for side in sides):
        return []
    if not sides[0].key.is_number:
        counted = [Counter(value.label for value in side.values) for side in sides]
        return [Bin(label, tuple(one[label] for one in counted)) for label in _labels(sides)]
    stretches = _stretches([value.number for side in sides for value in side.values])
    places = [Counter(_place(value.number, stretches) for value in side.values) for side in sides]
    return [
        Bin(_name(low, high), tuple(one[place] for one in places), low, high)
        for place, (low, high) in enumerate(stretches)
    ]


def _labels(sides: Sequence[Side]) -> list[str]:
    """Those most used first."""
    counted = Counter(value.label for side in sides for value in side.values)
    return sorted(counted, key=lambda label: (-counted[label], label))[:MOST_LABELS]


def _stretches(numbers: Sequence[float]) -> list[tuple[float, float]]:
    """Ten of the same length from the least to the most; one where all are the same."""
    low, high = min(numbers), max(numbers)
    width = (high - low) / BINS
    if not width:
        return [(low, high)]
    return [(low + width * place, low + width * (place + 1)) for place in range(BINS)]


def _place(number: float, stretches: list[tuple[float, float]]) -> int:
    low, width = stretches[0][0], stretches[0][1] - stretches[0][0]
    return min(int((number - low) / width), len(stretches) - 1) if width else 0


def _name(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} – {high:.4g}"


# --- How they went ---------------------------------------------------------------------------------------
def _trend(sides: Sequence[Side]) -> tuple[str, list[Point]]:
    times = [value.at for side in sides for value in side.values]
    if not times:
        return "day", []
    first, last = min(times), max(times)
    unit = auto_unit(first, last + timedelta(milliseconds=1))
    by_start = [_by_start(side, unit) for side in sides]
    points, at = [], bucket_start(first, unit)
    while at <= last:
        found = [one.get(at, []) for one in by_start]
        means = tuple(
            statistics.fmean(numbers) if numbers and _has_mean(side) else None
            for numbers, side in zip(found, sides, strict=True)
        )
        points.append(Point(at, means, tuple(len(numbers) for numbers in found)))
        at = next_bucket(at, unit)
    return unit, points


def _has_mean(side: Side) -> bool:
    return side.key.data_type != ScoreType.CATEGORICAL


def _by_start(side: Side, unit: str) -> dict[datetime, list[float]]:
    found: dict[datetime, list[float]] = {}
    for value in side.values:
        found.setdefault(bucket_start(value.at, unit), []).append(value.number)
    return found


# --- How far they agree ----------------------------------------------------------------------------------
def _pairs(first: Side, second: Side) -> Pairs:
    """By what they are about. Of several scores about one thing the newest counts."""
    one, two = _newest_by_target(first), _newest_by_target(second)
    both = [target for target in one if target in two]
    only_first, only_second = len(one) - len(both), len(two) - len(both)
    if not first.key.is_number:
        order = _in_order([*first.values, *second.values])
        ones, twos = [one[target].label for target in both], [two[target].label for target in both]
        labels = compare_labels(ones, twos, most=MOST_LABELS, order=order)
        return Pairs(None, labels, only_first=only_first, only_second=only_second)
    before, after = [one[target].number for target in both], [two[target].number for target in both]
    compared = compare_numbers(before, after)
    if not both:
        return Pairs(compared, None, only_first=only_first, only_second=only_second)
    heat, rows, columns = _heat(before, after)
    return Pairs(compared, None, heat, rows, columns, only_first, only_second)


def _in_order(values: Sequence[Value]) -> list[str]:
    """Labels by their numbers, which is how a config sorts them."""
    numbers = {value.label: value.number for value in values}
    return sorted(numbers, key=lambda label: (numbers[label], label))


def _newest_by_target(side: Side) -> dict[tuple[str, str, str, str], Value]:
    found: dict[tuple[str, str, str, str], Value] = {}
    for value in side.values:  # newest first
        found.setdefault(value.target, value)
    return found


def _heat(ones: list[float], twos: list[float]) -> tuple[tuple[tuple[int, ...], ...], tuple[Bin, ...], tuple[Bin, ...]]:
    rows, columns = _stretches(ones), _stretches(twos)
    places = Counter((_place(a, rows), _place(b, columns)) for a, b in zip(ones, twos, strict=True))
    heat = tuple(tuple(places[row, column] for column in range(len(columns))) for row in range(len(rows)))
    return heat, _named(rows), _named(columns)


def _named(stretches: list[tuple[float, float]]) -> tuple[Bin, ...]:
    return tuple(Bin(_name(low, high), (), low, high) for low, high in stretches)
