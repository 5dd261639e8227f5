"""Where one item of a dataset ran, newest first: what came out, what that took, and how it was scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.access import ProjectScope
from evals.models import Dataset, ExperimentItem
from evals.queries.experiment_io import ran
from evals.queries.experiment_spans import Given, Key, Measured, measured_and_scored, places_of, read_roots
from tracing.analytics.tables import observations

o = observations.c


@dataclass(frozen=True, slots=True)
class RunOfItem:
    """`measured` is None, and `output` empty, of what has not been traced."""

    item: ExperimentItem
    measured: Measured | None
    scores: Sequence[Given]
    output: str

    @property
    def is_failed(self) -> bool:
        return (self.measured.level if self.measured else self.item.level) == "ERROR"

    @property
    def cost(self) -> Decimal | None:
        return self.measured.cost if self.measured and self.measured.cost else None


def runs_of_item(scope: ProjectScope, dataset: Dataset, item_id: str, limit: int = 20) -> list[RunOfItem]:
    """At most so many. Outputs are previews. Raises Unavailable and TooExpensive."""
    found = ExperimentItem.objects.filter(
        experiment__project_id=scope.project_id, experiment__dataset=dataset, item_id=item_id
    )
    items = list(found.select_related("experiment").order_by("-created_at", "-pk")[:limit])
    if not items:
        return []
    runs = [ran(item) for item in items]
    measures, given = measured_and_scored(scope, runs)
    said = _previews(scope, runs)
    keys: list[Key] = [(item.trace_id, item.observation_id) for item in items]
    return [
        RunOfItem(item, measures.get(key), given.get(key, ()), said.get(key, ""))
        for item, key in zip(items, keys, strict=True)
    ]


def _previews(scope: ProjectScope, runs: Sequence[Any]) -> dict[Key, str]:
    rows = read_roots(scope, places_of(scope, runs), o.output_preview, tag="runs-of-item")
    return {key: row.output_preview for key, row in rows.items()}
