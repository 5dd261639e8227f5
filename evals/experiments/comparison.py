"""Runs beside each other, item by item: what each came to, who won, what is shown in which order. Nothing is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from statistics import fmean, stdev

from evals.statistics.significance import SAME, Verdict, corrected, judge

LATENCY, COST, TOKENS, ERRORS = "latency", "cost", "tokens", "errors"
SCORE = "score:"
#: what every run has, whether it is scored or not; less of each is better
OWN_METRICS = (LATENCY, COST, TOKENS, ERRORS)
NUMBER, BOOLEAN, CATEGORY, TEXT = "number", "boolean", "category", "text"
_KINDS = {"NUMERIC": NUMBER, "BOOLEAN": BOOLEAN, "CATEGORICAL": CATEGORY, "TEXT": TEXT}


@dataclass(frozen=True, slots=True)
class ScoreValue:
    """All scores of one name that one run of an item has."""

    kind: str
    #: mean of numbers, share of truth; None of categories and texts
    number: float | None
    #: the last category or text
    text: str = ""
    comment: str = ""
    count: int = 1


@dataclass(slots=True)
class Attempt:
    """One run of one item."""

    pk: int
    item_id: str
    trace_id: str
    root_id: str
    at: datetime
    status: str = ""
    is_error: bool = False
    latency_us: int | None = None
    cost: Decimal | None = None
    tokens: int | None = None
    item_version: datetime | None = None
    #: linked without saying which part of the trace is meant
    is_whole_trace: bool = False
    scores: dict[str, ScoreValue] = field(default_factory=dict)

    def value(self, metric: str) -> float | None:
        if metric.startswith(SCORE):
            given = self.scores.get(metric.removeprefix(SCORE))
            return given.number if given else None
        if metric == ERRORS:
            return float(self.is_error)
        if metric == LATENCY:
            return None if self.latency_us is None else float(self.latency_us)
        value = self.cost if metric == COST else self.tokens
        return None if value is None else float(value)

    def text(self, metric: str) -> str:
        given = self.scores.get(metric.removeprefix(SCORE)) if metric.startswith(SCORE) else None
        return given.text if given else ""


@dataclass(slots=True)
class Cell:
    """What one experiment did with one item: once, or several times."""

    attempts: list[Attempt]
    _values: dict[str, float | None] = field(default_factory=dict)

    @property
    def first(self) -> Attempt:
        return self.attempts[0]

    @property
    def repetitions(self) -> int:
        return len(self.attempts)

    def value(self, metric: str) -> float | None:
        """The mean over repetitions."""
        if metric not in self._values:
            values = self.values(metric)
            self._values[metric] = fmean(values) if values else None
        return self._values[metric]

    def values(self, metric: str) -> list[float]:
        found = (attempt.value(metric) for attempt in self.attempts)
        return [value for value in found if value is not None and math.isfinite(value)]

    def spread(self, metric: str) -> float | None:
        """Of repetitions: the standard deviation of the sample."""
        values = self.values(metric)
        return stdev(values) if len(values) > 1 else None

    def texts(self, metric: str) -> list[str]:
        return [text for text in (attempt.text(metric) for attempt in self.attempts) if text]


@dataclass(slots=True)
class Item:
    """One row: the item and what each experiment did with it, the baseline first. None where it did not run."""

    id: str
    cells: list[Cell | None]

    @property
    def is_matched(self) -> bool:
        return all(cell is not None for cell in self.cells)

    @property
    def baseline(self) -> Cell | None:
        return self.cells[0]

    def value(self, metric: str, run: int) -> float | None:
        cell = self.cells[run]
        return cell.value(metric) if cell else None

    def delta(self, metric: str, run: int) -> float | None:
        before, after = self.value(metric, 0), self.value(metric, run)
        return None if before is None or after is None else after - before


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that runs are compared by."""

    id: str
    kind: str
    is_lower_better: bool = False

    @property
    def name(self) -> str:
        return self.id.removeprefix(SCORE)

    @property
    def is_score(self) -> bool:
        return self.id.startswith(SCORE)

    @property
    def has_numbers(self) -> bool:
        return self.kind in (NUMBER, BOOLEAN)

    def gain(self, delta: float) -> float:
        """Above zero where it got better."""
        return -delta if self.is_lower_better else delta


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one experiment came to by one metric; against the baseline where it is not the baseline itself."""

    count: int
    mean: float | None
    total: float
    delta: float | None = None
    wins: int = 0
    ties: int = 0
    losses: int = 0
    #: categories, the most frequent first
    shares: tuple[tuple[str, int], ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Of one run: a number compared, or a category that is or is not given."""

    run: int
    metric: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.run}:{self.operator}:{self.value}:{self.metric}"

    @classmethod
    def parse(cls, text: str) -> Condition | None:
        run, operator, rest = [*text.split(":", 2), "", ""][:3]
        if not (run.isascii() and run.isdigit()) or operator not in OPERATORS or ":" not in rest:
            return None
        # Categories may have colons, and so may the names of scores; no other metric does.
        value, begins, name = rest.partition(f":{SCORE}")
        metric = SCORE + name
        if not begins:
            value, _, metric = rest.rpartition(":")
        if operator not in TEXT_OPERATORS and _number(value) is None:
            return None
        return cls(int(run), metric, operator, value)

    def fits(self, item: Item) -> bool:
        cell = item.cells[self.run] if self.run < len(item.cells) else None
        if cell is None:
            return False
        if self.operator in TEXT_OPERATORS:
            is_there = self.value in cell.texts(self.metric)
            return is_there == (self.operator == "is")
        value, bound = cell.value(self.metric), _number(self.value)
        return value is not None and bound is not None and OPERATORS[self.operator](value * self._unit, bound)

    @property
    def _unit(self) -> float:
        """Latency is compared in seconds."""
        return 1e-6 if self.metric == LATENCY else 1.0


OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda value, bound: value < bound - SAME,
    "lte": lambda value, bound: value <= bound + SAME,
    "gt": lambda value, bound: value > bound + SAME,
    "gte": lambda value, bound: value >= bound - SAME,
    "eq": lambda value, bound: abs(value - bound) <= SAME,
    "is": lambda value, bound: False,
    "not": lambda value, bound: False,
}
TEXT_OPERATORS = ("is", "not")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class Comparison:
    """Several experiments, the baseline first. `runs` are the attempts of each, oldest first; `lower` names the metrics
    of which less is better beside those that every run has."""

    def __init__(self, runs: Sequence[Sequence[Attempt]], *, lower: Iterable[str] = ()) -> None:
        self.count = len(runs)
        self._lower = frozenset(lower)
        self.items = _items(runs)
        self._kinds = _kinds(runs)

    @cached_property
    def metrics(self) -> list[Metric]:
        """Scores by name, then what every run has."""
        scores = [
            Metric(f"{SCORE}{name}", kind, f"{SCORE}{name}" in self._lower)
            for name, kind in sorted(self._kinds.items())
        ]
        return [*scores, *(Metric(name, BOOLEAN if name == ERRORS else NUMBER, True) for name in OWN_METRICS)]

    def metric(self, metric_id: str) -> Metric | None:
        return next((metric for metric in self.metrics if metric.id == metric_id), None)

    @property
    def matched(self) -> int:
        return sum(1 for item in self.items if item.is_matched)

    # --- Which items, in which order ---------------------------------------------------------------------
    def chosen(self, conditions: Sequence[Condition], *, only_matched: bool, sort: str) -> list[Item]:
        found = [
            item
            for item in self.items
            if (item.is_matched or not only_matched) and all(condition.fits(item) for condition in conditions)
        ]
        metric = self.metric(sort)
        if metric is None or not metric.has_numbers:
            return found
        return sorted(found, key=lambda item: self._badness(item, metric))

    def _badness(self, item: Item, metric: Metric) -> tuple[bool, float]:
        """The worst regression first; of one run alone, what is worst. Items that cannot be told come last."""
        if self.count == 1:
            value = item.value(metric.id, 0)
            return value is None, 0.0 if value is None else metric.gain(value)
        deltas = [item.delta(metric.id, run) for run in range(1, self.count)]
        gains = [metric.gain(delta) for delta in deltas if delta is not None]
        return not gains, min(gains, default=0.0)

    # --- What it comes to --------------------------------------------------------------------------------
    def outcomes(self, *, with_significance: bool = False) -> dict[str, list[Outcome]]:
        """By metric, one for each run."""
        found = {metric.id: [self._outcome(metric, run) for run in range(self.count)] for metric in self.metrics}
        if not with_significance or self.count < 2:
            return found
        tests = [(metric, run) for metric in self.metrics if metric.has_numbers for run in range(1, self.count)]
        verdicts = corrected([self._verdict(metric, run) for metric, run in tests])
        for (metric, run), verdict in zip(tests, verdicts, strict=True):
            was = found[metric.id][run]
            found[metric.id][run] = Outcome(
                was.count, was.mean, was.total, was.delta, was.wins, was.ties, was.losses, was.shares, verdict
            )
        return found

    def _outcome(self, metric: Metric, run: int) -> Outcome:
        cells = [cell for item in self.items if (cell := item.cells[run]) is not None]
        if not metric.has_numbers:
            texts = Counter(text for cell in cells for text in cell.texts(metric.id))
            shares = tuple(texts.most_common()) if metric.kind == CATEGORY else ()
            return Outcome(texts.total(), None, 0.0, shares=shares)
        # The mean over items: one that ran more often does not count for more.
        means = [value for cell in cells if (value := cell.value(metric.id)) is not None]
        total = math.fsum(value for cell in cells for value in cell.values(metric.id))
        mean = fmean(means) if means else None
        if run == 0:
            return Outcome(len(means), mean, total)
        deltas = [delta for item in self.items if (delta := item.delta(metric.id, run)) is not None]
        gains = [metric.gain(delta) for delta in deltas]
        return Outcome(
            len(means),
            mean,
            total,
            fmean(deltas) if deltas else None,
            wins=sum(1 for gain in gains if gain > SAME),
            ties=sum(1 for gain in gains if abs(gain) <= SAME),
            losses=sum(1 for gain in gains if gain < -SAME),
        )

    def _verdict(self, metric: Metric, run: int) -> Verdict:
        pairs = [(item.value(metric.id, 0), item.value(metric.id, run)) for item in self.items]
        both = [(before, after) for before, after in pairs if before is not None and after is not None]
        return judge([one[0] for one in both], [one[1] for one in both], is_boolean=metric.kind == BOOLEAN)


def _items(runs: Sequence[Sequence[Attempt]]) -> list[Item]:
    """In the order in which the baseline ran them; then what only others ran."""
    found: dict[str, Item] = {}
    for place, attempts in enumerate(runs):
        for attempt in attempts:
            item = found.get(attempt.item_id)
            if item is None:
                item = found[attempt.item_id] = Item(attempt.item_id, [None] * len(runs))
            cell = item.cells[place]
            if cell is None:
                item.cells[place] = Cell([attempt])
            else:
                cell.attempts.append(attempt)
    return list(found.values())


def _kinds(runs: Sequence[Sequence[Attempt]]) -> dict[str, str]:
    """Of each score. One that is given now as this and now as that is what it mostly is."""
    seen: dict[str, Counter[str]] = {}
    for attempts in runs:
        for attempt in attempts:
            for name, value in attempt.scores.items():
                seen.setdefault(name, Counter())[value.kind] += 1
    return {name: kinds.most_common(1)[0][0] for name, kinds in seen.items()}


def value_of(given: Sequence[tuple[str, float, str, str]]) -> ScoreValue:
    """Scores of one name, oldest first: data type, number, text and comment of each."""
    kind = _KINDS.get(given[-1][0], TEXT)
    numbers = [value for data_type, value, _, _ in given if _KINDS.get(data_type) in (NUMBER, BOOLEAN)]
    finite = [value for value in numbers if value is not None and math.isfinite(value)]
    return ScoreValue(
        kind,
        fmean(finite) if finite and kind in (NUMBER, BOOLEAN) else None,
        "" if kind in (NUMBER, BOOLEAN) else given[-1][2],
        given[-1][3],
        len(given),
    )
