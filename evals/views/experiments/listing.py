"""The experiments of a project, or of one of its datasets, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from config.rendering import render_page
from config.templatetags.formatting import score
from evals.experiments.comparison import BOOLEAN
from evals.models import Dataset, Experiment
from evals.queries.experiment_runs import (
    SORTS,
    Figures,
    RunScore,
    Wanted,
    counts_of,
    list_runs_page,
    measure_runs,
)
from evals.queries.experiments import dataset_with_id
from evals.views.experiments.state import MOST_OTHERS
from tracing.forms import text_from

_MOST_PAGES = 10_000
#: names of scores that get a column; the others are in the comparison
MOST_SCORES = 6


@require_safe
@project_page(Role.VIEWER)
def experiment_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    dataset = dataset_with_id(scope, text_from(request.GET, "dataset"))
    context = {
        "scope": scope,
        "runs": RunsTable(scope, request.GET, dataset),
        "dataset": dataset,
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/experiment_list.html", context, fragment="experiments")


class RunsTable:
    """What `evals/_experiment_runs.html` shows, of a project or of one dataset. Figures are read when it is drawn."""

    def __init__(self, scope: ProjectScope, query: QueryDict, dataset: Dataset | None = None) -> None:
        self._scope, self.dataset = scope, dataset
        page, sort = query.get("page", ""), query.get("sort", "")
        is_number = page.isascii() and page.isdigit() and len(page) < 6
        self.wanted = Wanted(
            dataset=dataset,
            text=text_from(query, "q"),
            sort=sort if sort in SORTS else "",
            page=min(max(1, int(page)), _MOST_PAGES) if is_number else 1,
        )
        self.page = list_runs_page(scope, self.wanted)
        self._has_problem = False
        self.most_compared = MOST_OTHERS + 1

    @property
    def is_narrowed(self) -> bool:
        return bool(self.wanted.text) or self.wanted.page > 1

    @property
    def total(self) -> int:
        return self.page.total

    @property
    def has_more(self) -> bool:
        return self.wanted.page < self.page.total_pages

    @property
    def next_page(self) -> int:
        return self.wanted.page + 1

    @property
    def previous_page(self) -> int:
        return self.wanted.page - 1

    @property
    def has_problem(self) -> bool:
        """Whether costs and scores could not be read."""
        return self._has_problem if self.figures else False

    @cached_property
    def figures(self) -> dict[int, Figures]:
        """Without costs and scores where the store cannot tell: the table does not wait for it."""
        found = counts_of(self.page.items)
        try:
            measure_runs(self._scope, self.page.items, found)
        except (TooExpensive, Unavailable):
            self._has_problem = True
        return found

    @cached_property
    def rows(self) -> list[RunRow]:
        return [RunRow(self._scope, one, self.figures[one.pk], self.columns) for one in self.page.items]

    @cached_property
    def columns(self) -> list[ScoreColumn]:
        """The scores that most runs have; those of whole runs after those of items."""
        return [
            *_columns((figures.scores for figures in self.figures.values()), is_of_run=False),
            *_columns((figures.run_scores for figures in self.figures.values()), is_of_run=True),
        ]

    @property
    def more_scores(self) -> int:
        names = {name for figures in self.figures.values() for name in figures.scores}
        return max(0, len(names) - MOST_SCORES)


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    name: str
    is_of_run: bool


def _columns(found: Iterable[dict[str, RunScore]], *, is_of_run: bool) -> list[ScoreColumn]:
    counts: dict[str, int] = {}
    for scores in found:
        for name in scores:
            counts[name] = counts.get(name, 0) + 1
    most = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_SCORES]
    return [ScoreColumn(name, is_of_run) for name in sorted(most)]


class RunRow:
    def __init__(
        self, scope: ProjectScope, experiment: Experiment, figures: Figures, columns: list[ScoreColumn]
    ) -> None:
        self.experiment, self.figures, self._columns = experiment, figures, columns
        page = reverse("evals:experiment-compare", args=[scope.project_id])
        query = QueryDict(mutable=True)
        query["baseline"] = experiment.experiment_id
        self.url = f"{page}?{query.urlencode()}"

    @property
    def author(self) -> str:
        person: Any = self.experiment.author
        return "" if person is None else str(person.name or person.email)

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """Name and value, as far as they are short."""
        said = self.experiment.metadata
        if not isinstance(said, dict):
            return []
        return [(name, value if isinstance(value, str) else str(value)) for name, value in said.items()]

    @property
    def scores(self) -> list[ShownScore | None]:
        """In the order of the columns."""
        return [self._score(column) for column in self._columns]

    def _score(self, column: ScoreColumn) -> ShownScore | None:
        found = (self.figures.run_scores if column.is_of_run else self.figures.scores).get(column.name)
        return None if found is None else ShownScore(found)


class ShownScore:
    def __init__(self, given: RunScore) -> None:
        self.given = given

    @property
    def text(self) -> str:
        if self.given.mean is None:
            return ""
        is_share = self.given.kind == BOOLEAN
        return f"{self.given.mean:.0%}" if is_share else score(self.given.mean)

    @property
    def shares(self) -> list[tuple[str, str]]:
        return [(name or "—", f"{count / max(1, self.given.count):.0%}") for name, count in self.given.shares]

    @property
    def first_share(self) -> tuple[str, str] | None:
        return next(iter(self.shares), None)

    @property
    def said(self) -> str:
        """All shares, for who points at them."""
        return ", ".join(f"{name} {share}" for name, share in self.shares)
