"""How far an experiment is that this server runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from config.errors import NotFound
from evals.experiments.plan import Plan
from evals.models import Experiment, ExperimentItem, RunStatus

_UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)
#: what was answered is stored within seconds; who waits longer waits for what never comes
_ARRIVES_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """`problems` are words of failures with how many items say them, most frequent first; `arrived` of those that
    were answered can be looked at, since their traces are stored."""

    experiment: Experiment
    plan: Plan
    counts: dict[str, int]
    problems: list[tuple[str, int]]
    arrived: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.counts.get(RunStatus.DONE, 0)

    @property
    def failed(self) -> int:
        return self.counts.get(RunStatus.FAILED, 0)

    @property
    def stopped(self) -> int:
        return self.counts.get(RunStatus.STOPPED, 0)

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.stopped

    @property
    def percent(self) -> int:
        return self.ended * 100 // self.total if self.total else 100

    @property
    def is_open(self) -> bool:
        return self.experiment.status in _UNFINISHED

    @property
    def is_followed(self) -> bool:
        """Whether there will be more to see: something runs, or what ran last is still on its way."""
        if self.is_open:
            return True
        is_missing = self.experiment.status == RunStatus.DONE and self.arrived < self.done + self.failed
        return is_missing and timezone.now() - self.experiment.updated_at < _ARRIVES_WITHIN

    @property
    def mark(self) -> str:
        """Another one whenever there is something else to see."""
        return f"{self.ended}.{self.arrived}"

    @property
    def left(self) -> int:
        """What could be run again."""
        return self.failed + self.stopped


def progress_of(experiment: Experiment) -> Progress:
    """Raises NotFound for an experiment that a program runs: there is nothing to tell of."""
    if not experiment.plan:
        raise NotFound(_("This experiment is run by a program, not here."))
    items = ExperimentItem.objects.filter(experiment=experiment).order_by()
    stored = Count("pk", filter=Q(ended_at__isnull=False, status__in=(RunStatus.DONE, RunStatus.FAILED)))
    rows = list(items.values("status").annotate(n=Count("pk"), stored=stored))
    counts = {row["status"]: row["n"] for row in rows}
    texts = items.exclude(problem="").values("problem").annotate(n=Count("pk")).order_by("-n")[:20]
    words: dict[str, int] = {}
    for row in texts:
        said = _words_of(row["problem"])
        words[said] = words.get(said, 0) + row["n"]
    most = sorted(words.items(), key=lambda pair: -pair[1])[:5]
    return Progress(experiment, Plan.of(experiment.plan), counts, most, sum(row["stored"] for row in rows))


def _words_of(problem: str) -> str:
    found: dict[str, Any] = orjson.loads(problem)
    return str(found.get("message", ""))
