"""Experiments as a table: what each run came to, in items, errors, time, money and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Max, Min, Q
from sqlalchemy import and_, or_

from accounts.access import ProjectScope
from evals.experiments.comparison import BOOLEAN, CATEGORY, NUMBER, TEXT
from evals.models import Dataset, Experiment, ExperimentItem
from evals.queries.experiment_io import ran
from evals.queries.experiment_spans import measured_and_scored
from evals.queries.experiments import experiments
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, scores
from tracing.queries.paging import Numbered, PageNumber
from tracing.queries.parallel import together

o, s = observations.c, scores.c
_KINDS = {"NUMERIC": NUMBER, "BOOLEAN": BOOLEAN, "CATEGORICAL": CATEGORY, "TEXT": TEXT}
#: sort of the address -> order of the rows
SORTS = {
    "": ("-created_at", "-pk"),
    "created": ("created_at", "pk"),
    "name": ("name", "pk"),
    "-name": ("-name", "-pk"),
    "dataset": ("dataset__name", "-created_at", "-pk"),
}
#: Runs that only the API told of are measured one by one; beyond so many on a page they are left unmeasured.
_MOST_UNTOLD = 3_000
_DAY = timedelta(days=1)
_MOST_CATEGORIES = 1_000
#: of one run in one trace
_MOST_ROOTS = 20_000


@dataclass(frozen=True, slots=True)
class RunScore:
    """All scores of one name of a run: a mean, a share of truth, or how often each category."""

    name: str
    kind: str
    mean: float | None
    count: int
    shares: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Figures:
    """None is unknown."""

    items: int = 0
    runs: int = 0
    errors: int = 0
    latency_us: float | None = None
    cost: Decimal | None = None
    #: of the items
    scores: dict[str, RunScore] = field(default_factory=dict)
    #: of the whole run
    run_scores: dict[str, RunScore] = field(default_factory=dict)
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def times(self) -> int:
        """How often each item ran; 0 where some ran more often than others."""
        return self.runs // self.items if self.items and self.runs % self.items == 0 else 0

    @property
    def cost_each(self) -> Decimal | None:
        return None if self.cost is None or not self.runs else self.cost / self.runs


@dataclass(frozen=True, slots=True)
class Wanted:
    dataset: Dataset | None = None
    text: str = ""
    sort: str = ""
    page: int = 1
    size: int = 25


def list_runs_page(scope: ProjectScope, wanted: Wanted) -> Numbered[Experiment]:
    found = experiments(scope)
    if wanted.dataset is not None:
        found = found.filter(dataset=wanted.dataset)
    if wanted.text:
        like = Q(name__icontains=wanted.text) | Q(description__icontains=wanted.text)
        found = found.filter(like | Q(metadata_text__icontains=wanted.text) | Q(experiment_id=wanted.text))
    number = PageNumber(wanted.page, wanted.size)
    rows = found.select_related("dataset", "author").order_by(*SORTS.get(wanted.sort, SORTS[""]))
    return Numbered(list(rows[number.offset : number.offset + number.limit]), number, found.count())


def counts_of(found: Sequence[Experiment]) -> dict[int, Figures]:
    """What the rows alone tell, by number of the experiment."""
    length = ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField())
    rows = (
        ExperimentItem.objects.filter(experiment__in=[one.pk for one in found])
        .values("experiment_id")
        .annotate(
            count=Count("pk"),
            items=Count("item_id", distinct=True),
            errors=Count("pk", filter=Q(level="ERROR") | Q(status="failed")),
            length=Avg(length),
            first=Min("started_at"),
            last=Max("ended_at"),
        )
    )
    counted = {
        row["experiment_id"]: Figures(
            items=row["items"],
            runs=row["count"],
            errors=row["errors"],
            latency_us=None if row["length"] is None else row["length"] / timedelta(microseconds=1),
            first_at=row["first"],
            last_at=row["last"],
        )
        for row in rows
    }
    return {one.pk: counted.get(one.pk, Figures()) for one in found}


def measure_runs(scope: ProjectScope, found: Sequence[Experiment], figures: dict[int, Figures]) -> None:
    """Adds costs and scores. Raises TooExpensive and Unavailable."""
    told = [one for one in found if figures[one.pk].first_at is not None]
    others = [one for one in found if figures[one.pk].first_at is None and figures[one.pk].runs]
    by_id = {one.experiment_id: figures[one.pk] for one in found}
    costs, of_items, of_runs = together(
        lambda: _costs(scope, told, figures),
        lambda: _item_scores(scope, told, figures),
        lambda: _run_scores(scope, found),
    )
    for experiment_id, cost in costs.items():
        by_id[experiment_id].cost = cost
    for experiment_id, those in of_items.items():
        by_id[experiment_id].scores = those
    for experiment_id, those in of_runs.items():
        by_id[experiment_id].run_scores = those
    if others:
        _measure_untold(scope, others, figures)


def _roots(scope: ProjectScope, told: Sequence[Experiment], figures: dict[int, Figures], *columns: Any) -> Any:
    """Root spans of these runs, each looked for in the time of its run alone."""
    of_runs = or_(*(and_(o.experiment_id == one.experiment_id, _while_it_ran(figures[one.pk])) for one in told))
    return store.select(scope, observations, o.trace_id, o.experiment_id, *columns).where(
        of_runs, o.experiment_item_root_id == o.id
    )


def _while_it_ran(run: Figures) -> Any:
    return and_(o.start_time >= run.first_at, o.start_time <= (run.last_at or run.first_at + _DAY))  # type: ignore[operator]


def _costs(scope: ProjectScope, told: Sequence[Experiment], figures: dict[int, Figures]) -> dict[str, Decimal]:
    """Of what began while the roots ran, as in `experiment_spans.measure`: spans of other services do not know of which
    item they are a part."""
    if not told:
        return {}
    roots = _roots(scope, told, figures, o.id, o.start_time, o.end_time).subquery("roots")
    r = roots.c
    query = (
        store.select(scope, observations, r.experiment_id, fn.sum(o.total_cost).label("cost"))
        .join(roots, o.trace_id == r.trace_id)
        .where(
            or_(*(_while_it_ran(figures[one.pk]) for one in told)),
            or_(o.experiment_item_root_id == "", o.experiment_item_root_id == r.id),
            o.start_time >= r.start_time,
            or_(r.end_time.is_(None), o.start_time <= r.end_time),
        )
        .group_by(r.experiment_id)
    )
    return {row[0]: row[1] for row in store.rows(scope, query, tag="experiment-list-costs")}


_Scores = dict[str, dict[str, RunScore]]


def _item_scores(scope: ProjectScope, told: Sequence[Experiment], figures: dict[int, Figures]) -> _Scores:
    """Each counts once, as in `experiment_spans.scores_of`: any score of a trace, and where several items of a run
    share it, those of their roots alone."""
    if not told:
        return {}
    ids = fn.collect_unique(o.id, limit=_MOST_ROOTS).label("ids")
    traces = _roots(scope, told, figures, fn.count().label("roots"), ids).group_by(o.trace_id, o.experiment_id)
    ran_in = traces.subquery("ran_in")
    r = ran_in.c
    firsts = [first for one in told if (first := figures[one.pk].first_at) is not None]
    query = (
        store.select(scope, scores, r.experiment_id, *_score_columns())
        .join(ran_in, s.trace_id == r.trace_id)
        .where(
            s.timestamp >= min(firsts) - _DAY,
            s.data_type != "CORRECTION",
            or_(r.roots == 1, fn.has(r.ids, s.observation_id)),
        )
        .group_by(r.experiment_id, *_score_keys())
    )
    return _gathered(store.rows(scope, query, tag="experiment-list-scores"))


def _run_scores(scope: ProjectScope, found: Sequence[Experiment]) -> _Scores:
    if not found:
        return {}
    ids = [one.experiment_id for one in found]
    query = (
        store.select(scope, scores, s.dataset_run_id, *_score_columns())
        .where(s.dataset_run_id.in_(ids), s.data_type != "CORRECTION")
        .group_by(s.dataset_run_id, *_score_keys())
    )
    return _gathered(store.rows(scope, query, tag="experiment-list-run-scores"))


def _category() -> Any:
    return fn.if_else(s.data_type == "CATEGORICAL", s.string_value, "")


def _score_keys() -> tuple[Any, ...]:
    return s.name, s.data_type, _category()


def _score_columns() -> tuple[Any, ...]:
    return (
        s.name,
        s.data_type,
        _category().label("category"),
        fn.avg(s.value).label("mean"),
        fn.count().label("n"),
    )


def _gathered(rows: Sequence[Any]) -> _Scores:
    """Rows of (experiment, name, data type, category, mean, count)."""
    found: dict[str, dict[str, list[Any]]] = {}
    for row in rows:
        found.setdefault(row[0], {}).setdefault(row[1], []).append(row)
    return {
        one: {name: _score(name, those) for name, those in sorted(by_name.items())} for one, by_name in found.items()
    }


def _score(name: str, rows: Sequence[Any]) -> RunScore:
    """What a name mostly is, if it was given with several types."""
    by_type: dict[str, int] = {}
    for row in rows:
        by_type[row[2]] = by_type.get(row[2], 0) + row[5]
    main = max(by_type, key=lambda kind: (by_type[kind], kind))
    kind, those = _KINDS.get(main, TEXT), [row for row in rows if row[2] == main]
    shares = sorted(((row[3], row[5]) for row in those), key=lambda share: (-share[1], share[0]))
    is_category = kind == CATEGORY
    mean = None if kind in (CATEGORY, TEXT) else those[0][4]
    return RunScore(name, kind, mean, by_type[main], tuple(shares[:_MOST_CATEGORIES]) if is_category else ())


def _measure_untold(scope: ProjectScope, others: Sequence[Experiment], figures: dict[int, Figures]) -> None:
    """Runs whose spans tell of no experiment, as those of older clients: by their traces."""
    if sum(figures[one.pk].runs for one in others) > _MOST_UNTOLD:
        return
    items = list(ExperimentItem.objects.filter(experiment__in=[one.pk for one in others]))
    measures, given = measured_and_scored(scope, [ran(item) for item in items])
    for one in others:
        own = figures[one.pk]
        keys = [(item.trace_id, item.observation_id) for item in items if item.experiment_id == one.pk]
        found = [measures[key] for key in keys if key in measures]
        own.errors += sum(1 for measured in found if measured.level == "ERROR")
        latencies = [measured.latency_us for measured in found if measured.latency_us is not None]
        own.latency_us = sum(latencies) / len(latencies) if latencies else None
        own.cost = sum((measured.cost for measured in found), Decimal(0)) if found else None
        by_name: dict[str, dict[tuple[str, str], list[float]]] = {}
        for key in keys:
            for score in given.get(key, ()):
                category = score.text if score.data_type == "CATEGORICAL" else ""
                by_name.setdefault(score.name, {}).setdefault((score.data_type, category), []).append(score.value)
        own.scores = {
            name: _score(name, [("", name, *kind, sum(v) / len(v), len(v)) for kind, v in sorted(those.items())])
            for name, those in sorted(by_name.items())
        }
