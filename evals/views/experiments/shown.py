"""Values, differences and texts of experiments as words and marks of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from config.templatetags.formatting import duration, money, score, short_money, tokens
from evals.experiments.comparison import (
    BOOLEAN,
    COST,
    ERRORS,
    LATENCY,
    TEXT_OPERATORS,
    TOKENS,
    Attempt,
    Cell,
    Condition,
    Item,
    Metric,
    Outcome,
)
from evals.models import Experiment
from evals.queries.experiment_comparison import Loaded, Texts, as_said
from evals.queries.item_versions import Said
from evals.statistics.significance import LEAST_PAIRS, MCNEMAR, T_TEST, Verdict
from evals.views.experiments.state import State
from prompts.difference import Difference, compare

_SAME = 1e-9
#: characters of a text in a row; the panel has all of them
_SHOWN = 1_200
_WORST_SHARES = 3


def label_of(metric: Metric | str) -> str:
    name = metric if isinstance(metric, str) else metric.id
    own = {LATENCY: _("Latency"), COST: _("Cost"), TOKENS: _("Tokens"), ERRORS: _("Errors")}
    return own.get(name) or (name if isinstance(metric, str) else metric.name)


def value_text(metric: Metric, value: float | None, *, of_many: bool = False) -> str:
    """`of_many`: a mean, so that truth is a share."""
    if value is None:
        return "—"
    if metric.id == LATENCY:
        return duration(value)
    if metric.id == COST:
        return money(round(value, 12))
    if metric.id == TOKENS:
        return tokens(round(value))
    if metric.kind == BOOLEAN:
        if of_many or value not in (0.0, 1.0):
            return f"{value:.0%}" if value in (0.0, 1.0) else f"{value:.1%}"
        return _("true") if value else _("false")
    return score(value)


def difference_text(metric: Metric, delta: float) -> str:
    """With its sign."""
    sign = "+" if delta > 0 else "−"
    size = abs(delta)
    if metric.id == LATENCY:
        return f"{sign}{duration(size)}"
    if metric.id == COST:
        return f"{sign}{short_money(round(size, 12))}"
    if metric.id == TOKENS:
        return f"{sign}{tokens(round(size))}"
    if metric.kind == BOOLEAN:
        return f"{sign}{size * 100:.0f} pp" if size >= 0.1 else f"{sign}{size * 100:.1f} pp"
    digits = 2 if size >= 0.01 else 4
    return f"{sign}{size:.{digits}f}"


@dataclass(frozen=True, slots=True)
class Delta:
    """A difference against the baseline, as a mark: `css` is good, bad or even."""

    text: str
    mark: str
    css: str

    @property
    def words(self) -> str:
        return {"good": _("better"), "bad": _("worse")}.get(self.css, _("the same"))

    @classmethod
    def of(cls, metric: Metric, delta: float | None) -> Delta | None:
        if delta is None:
            return None
        if abs(delta) <= _SAME:
            return cls("=", "", "even")
        mark = "▲" if delta > 0 else "▼"
        return cls(difference_text(metric, delta), mark, "good" if metric.gain(delta) > 0 else "bad")


@dataclass(frozen=True, slots=True)
class ShownValue:
    """One metric in one cell."""

    metric: Metric
    label: str
    text: str
    delta: Delta | None = None
    spread: str = ""
    comment: str = ""

    @property
    def is_score(self) -> bool:
        return self.metric.is_score


class ShownCell:
    """What one run did with one item."""

    def __init__(self, page: ShownComparison, item: Item, run: int, cell: Cell) -> None:
        self._page, self._item, self.run, self.cell = page, item, run, cell
        self.texts = page.texts.get(cell.first.pk, Texts())

    @property
    def attempts(self) -> list[tuple[int, Attempt, str]]:
        """Number, run and address of each repetition."""
        return [(number, attempt, self._page.peek_url(attempt)) for number, attempt in enumerate(self.cell.attempts, 1)]

    @property
    def first(self) -> Attempt:
        return self.cell.first

    @property
    def url(self) -> str:
        return self._page.peek_url(self.cell.first)

    @property
    def column(self) -> ShownRun:
        return self._page.runs[self.run]

    @property
    def output(self) -> str:
        return as_said(self.texts.output or self.texts.status)

    @property
    def shown_output(self) -> str:
        return self.output[:_SHOWN]

    @property
    def is_failed(self) -> bool:
        return any(attempt.is_error for attempt in self.cell.attempts)

    @property
    def is_waiting(self) -> bool:
        return self.cell.first.status in ("queued", "running")

    @cached_property
    def difference(self) -> Difference | None:
        """To what is expected, or to what the baseline said."""
        diff = self._page.state.diff
        if diff == "expected":
            expected = self._page.expected(self._item)
            return compare(expected, self.output) if expected else None
        if diff == "baseline" and self.run and (baseline := self._item.baseline):
            said = self._page.texts.get(baseline.first.pk, Texts()).output
            return compare(as_said(said), self.output)
        return None

    @property
    def values(self) -> Iterator[ShownValue]:
        for metric in self._page.metrics:
            if metric.id in (ERRORS, TOKENS):
                continue
            shown = self._value(metric)
            if shown is not None:
                yield shown

    def _delta(self, metric: Metric) -> Delta | None:
        found = Delta.of(metric, self._item.delta(metric.id, self.run)) if self.run else None
        # Of true and false there is nothing to say beyond that it changed.
        is_plain = found is not None and metric.kind == BOOLEAN and abs(self._item.delta(metric.id, self.run) or 0) == 1
        return replace(found, text="") if found is not None and is_plain else found

    def _value(self, metric: Metric) -> ShownValue | None:
        label = label_of(metric)
        if not metric.has_numbers:
            words = self.cell.texts(metric.id)
            return ShownValue(metric, label, ", ".join(dict.fromkeys(words))) if words else None
        value = self.cell.value(metric.id)
        if value is None:
            return None
        delta = self._delta(metric)
        is_repeated = self.cell.repetitions > 1
        spread = self.cell.spread(metric.id) if is_repeated else None
        given = self.cell.first.scores.get(metric.name) if metric.is_score else None
        return ShownValue(
            metric,
            label,
            value_text(metric, value, of_many=is_repeated),
            delta,
            f"± {difference_text(metric, spread)[1:]}" if spread else "",
            given.comment if given and not is_repeated else "",
        )


class ShownItem:
    def __init__(self, page: ShownComparison, item: Item) -> None:
        self._page, self.item = page, item

    @property
    def id(self) -> str:
        return self.item.id

    @property
    def input(self) -> str:
        said = self._page.said.get(self.item.id)
        if said is not None:
            return as_said(said.input)[:_SHOWN]
        return next((as_said(one.input)[:_SHOWN] for one in self._texts() if one.input), "")

    @property
    def expected(self) -> str:
        return self._page.expected(self.item)[:_SHOWN]

    def _texts(self) -> Iterator[Texts]:
        for cell in self.item.cells:
            if cell is not None:
                yield self._page.texts.get(cell.first.pk, Texts())

    @cached_property
    def cells(self) -> list[ShownCell | None]:
        return [
            None if cell is None else ShownCell(self._page, self.item, run, cell)
            for run, cell in enumerate(self.item.cells)
        ]

    @property
    def ran(self) -> list[ShownCell]:
        return [cell for cell in self.cells if cell is not None]


class ShownRun:
    """A column."""

    def __init__(self, page: ShownComparison, place: int, experiment: Experiment) -> None:
        self._page, self.place, self.experiment = page, place, experiment

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def letter(self) -> str:
        """What it is called where there is no room."""
        return "ABCDEF"[self.place]

    @property
    def is_baseline(self) -> bool:
        return self.place == 0

    @property
    def baseline_url(self) -> str:
        return self._page.state.with_baseline(self.experiment.experiment_id)

    @property
    def without_url(self) -> str:
        return self._page.state.without_run(self.experiment.experiment_id)


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a bar: where it begins and how long it is, of a hundred."""

    css: str
    start: float
    length: float


class ShownOutcome:
    """What one run came to by one metric."""

    def __init__(self, metric: Metric, run: ShownRun, outcome: Outcome, largest: float) -> None:
        self.metric, self.run, self.outcome, self._largest = metric, run, outcome, largest

    @property
    def text(self) -> str:
        return value_text(self.metric, self.outcome.mean, of_many=True)

    @property
    def total(self) -> str:
        return money(round(self.outcome.total, 12)) if self.metric.id == COST and self.outcome.count else ""

    @property
    def delta(self) -> Delta | None:
        return None if self.run.is_baseline else Delta.of(self.metric, self.outcome.delta)

    @property
    def length(self) -> float:
        """Of the bar: its share of the largest, of a hundred."""
        mean = self.outcome.mean
        return 0.0 if mean is None or self._largest <= 0 else round(max(0.0, mean) / self._largest * 100, 1)

    @property
    def compared(self) -> int:
        return self.outcome.wins + self.outcome.ties + self.outcome.losses

    @property
    def bars(self) -> list[Bar]:
        """Wins, ties and losses."""
        found, start = [], 0.0
        for css, count in (("win", self.outcome.wins), ("tie", self.outcome.ties), ("loss", self.outcome.losses)):
            length = count / self.compared * 100 if self.compared else 0.0
            found.append(Bar(css, round(start, 2), round(length, 2)))
            start += length
        return [bar for bar in found if bar.length]

    @property
    def shares(self) -> list[tuple[str, str]]:
        count = max(1, self.outcome.count)
        return [(name or "—", f"{n / count:.0%}") for name, n in self.outcome.shares[:_WORST_SHARES]]

    @property
    def more_shares(self) -> int:
        return max(0, len(self.outcome.shares) - _WORST_SHARES)

    @property
    def verdict(self) -> str:
        verdict = self.outcome.verdict
        if verdict is None:
            return ""
        if verdict.has_too_few:
            words = _("too few pairs to tell (%(n)d; it takes %(least)d)")
            return words % {"n": verdict.pairs, "least": LEAST_PAIRS}
        if not verdict.is_significant:
            return _("may be chance")
        return _("better") if self.metric.gain(verdict.effect) > 0 else _("worse")

    @property
    def verdict_css(self) -> str:
        verdict = self.outcome.verdict
        if verdict is None or not verdict.is_significant:
            return "faint"
        return "good" if self.metric.gain(verdict.effect) > 0 else "bad"

    @property
    def p(self) -> str:
        verdict = self.outcome.verdict
        if verdict is None or verdict.adjusted is None:
            return ""
        return "p < 0.001" if verdict.adjusted < 0.001 else f"p = {verdict.adjusted:.3f}"

    @property
    def interval(self) -> str:
        verdict = self.outcome.verdict
        if verdict is None or verdict.low is None or verdict.high is None:
            return ""
        low, high = (difference_text(self.metric, one) if one else "0" for one in (verdict.low, verdict.high))
        return f"{low} … {high}"

    @property
    def how(self) -> str:
        """Test and pairs, in words."""
        return "" if self.outcome.verdict is None else _how(self.outcome.verdict)


def _how(verdict: Verdict) -> str:
    if not verdict.test:
        return ""
    test = {T_TEST: _("paired t-test"), MCNEMAR: _("McNemar's exact test")}.get(
        verdict.test, _("Wilcoxon signed-rank test")
    )
    return _("%(test)s over %(n)d items; p is corrected for all that is compared here (Holm)") % {
        "test": test,
        "n": verdict.pairs,
    }


@dataclass(frozen=True, slots=True)
class SummaryRow:
    metric: Metric
    label: str
    cells: list[ShownOutcome]
    flip_url: str
    sort_url: str
    is_sorted: bool


@dataclass(frozen=True, slots=True)
class ShownCondition:
    text: str
    remove_url: str


class ShownComparison:
    """The page. Texts are those of the rows that are shown."""

    def __init__(
        self,
        project_id: str,
        loaded: Loaded,
        state: State,
        items: Sequence[Item],
        texts: dict[int, Texts],
        said: dict[str, Said],
    ) -> None:
        self._project_id, self.state, self.texts, self.said = project_id, state, texts, said
        self.comparison, self.is_cut = loaded.comparison, loaded.is_cut
        self.runs = [ShownRun(self, place, experiment) for place, experiment in enumerate(loaded.experiments)]
        self.items = [ShownItem(self, item) for item in items]

    @cached_property
    def metrics(self) -> list[Metric]:
        return self.comparison.metrics

    @property
    def sortable(self) -> list[tuple[Metric, str]]:
        return [(metric, label_of(metric)) for metric in self.metrics if metric.has_numbers]

    @property
    def labelled(self) -> list[tuple[Metric, str]]:
        return [(metric, label_of(metric)) for metric in self.metrics]

    def expected(self, item: Item) -> str:
        said = self.said.get(item.id)
        if said is not None and said.expected:
            return as_said(said.expected)
        for cell in item.cells:
            if cell is not None and (text := self.texts.get(cell.first.pk, Texts()).expected):
                return as_said(text)
        return ""

    def peek_url(self, attempt: Attempt) -> str:
        page = reverse("tracing:trace-detail", args=[self._project_id, attempt.trace_id])
        return f"{page}?{urlencode({'observation': attempt.root_id})}" if attempt.root_id else page

    @cached_property
    def summary(self) -> list[SummaryRow]:
        outcomes = self.comparison.outcomes(with_significance=self.state.with_significance)
        rows = []
        for metric in self.metrics:
            those = outcomes[metric.id]
            largest = max((one.mean for one in those if one.mean is not None), default=0.0)
            largest = 1.0 if metric.kind == BOOLEAN and metric.is_score else largest
            cells = [ShownOutcome(metric, run, one, largest) for run, one in zip(self.runs, those, strict=True)]
            is_sorted = self.state.sort == metric.id
            rows.append(
                SummaryRow(
                    metric,
                    label_of(metric),
                    cells,
                    self.state.flipped(metric.id) if metric.is_score and metric.has_numbers else "",
                    self.state.but(sort="" if is_sorted else metric.id) if metric.has_numbers else "",
                    is_sorted,
                )
            )
        return rows

    @property
    def significance_url(self) -> str:
        return self.state.but(with_significance=True)

    @property
    def conditions(self) -> list[ShownCondition]:
        return [ShownCondition(self._said(one), self.state.without_condition(one)) for one in self.state.conditions]

    def _said(self, condition: Condition) -> str:
        signs = {"lt": "<", "lte": "≤", "gt": ">", "gte": "≥", "eq": "=", "is": "=", "not": "≠"}
        metric = self.comparison.metric(condition.metric)
        run = self.runs[condition.run].letter if condition.run < len(self.runs) else _("a run that is not there")
        unit = " s" if condition.metric == LATENCY and condition.operator not in TEXT_OPERATORS else ""
        return f"{run}: {label_of(metric or condition.metric)} {signs[condition.operator]} {condition.value}{unit}"

    @property
    def display(self) -> list[tuple[str, list[tuple[str, str, bool]]]]:
        """What can be chosen about how rows look: title, then words, address and whether it is so."""
        state = self.state
        layouts = [
            (_("Side by side"), state.but(layout="grid"), state.layout == "grid"),
            (_("One below the other"), state.but(layout="list"), state.layout == "list"),
        ]
        items = [
            (_("All items"), state.but(only_matched=False), not state.only_matched),
            (_("Only items of every run"), state.but(only_matched=True), state.only_matched),
        ]
        diffs = [
            (_("Outputs as they are"), state.but(diff=""), not state.diff),
            (_("Difference to what is expected"), state.but(diff="expected"), state.diff == "expected"),
        ]
        if len(self.runs) > 1:
            words = _("Difference to the baseline")
            diffs.append((words, state.but(diff="baseline"), state.diff == "baseline"))
        shown = [(_("Layout"), layouts), (_("Outputs"), diffs)]
        return [*shown, (_("Items"), items)] if len(self.runs) > 1 else shown
