"""Which judgement is next: projects take turns, and what would exceed a rule's daily cap waits for the next day."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from config.claims import Claims
from evals.models import Evaluator, EvaluatorStatus, Judgement, JudgementStatus, Rule, Trial
from evals.queries.evaluators import average_cost

#: how long this process goes by what it knows of who waits
_TURNS_SECONDS = 1.0

judgements = Claims(Judgement, waiting=JudgementStatus.WAITING, running=JudgementStatus.RUNNING)
trials = Claims(Trial, waiting=JudgementStatus.WAITING, running=JudgementStatus.RUNNING)


def due() -> QuerySet[Judgement]:
    return Judgement.objects.filter(
        status=JudgementStatus.WAITING,
        due_at__lte=timezone.now(),
        evaluator__status=EvaluatorStatus.ACTIVE,
        project__deleted_at=None,
    )


def take_trial() -> Trial | None:
    waiting = Trial.objects.filter(status=JudgementStatus.WAITING).order_by("created_at")[:10]
    return next((one for one in waiting if trials.take(one, started_at=timezone.now())), None)


def take_judgement() -> Judgement | None:
    """What is due of the project that has the least at work."""
    for is_second in (False, True):
        for project_id in turns.order():
            for evaluator_id in turns.evaluators_of(project_id):
                for judgement in due().filter(evaluator_id=evaluator_id).order_by("due_at", "pk")[:20]:
                    if _take(judgement):
                        return judgement
        if not is_second:  # what was known may be old
            turns.forget()
    return None


# --- Turns -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Waiting:
    project_id: str
    evaluator_id: str


class Turns:
    """Which projects have something due, those with the least at work first; asked once for many claims."""

    def __init__(self) -> None:
        self._lock, self._until = threading.Lock(), 0.0
        self._known: list[_Waiting] = []

    def order(self) -> list[str]:
        known = list(dict.fromkeys(one.project_id for one in self._waiting()))
        if len(known) < 2:
            return known
        at_work = judgements.at_work().order_by().values_list("project_id").annotate(Count("pk"))
        busy: dict[str, int] = dict(at_work)
        return sorted(known, key=lambda project_id: busy.get(project_id, 0))

    def evaluators_of(self, project_id: str) -> list[str]:
        """Those with something due, the longest due first."""
        return [one.evaluator_id for one in self._waiting() if one.project_id == project_id]

    def forget(self) -> None:
        with self._lock:
            self._until = 0.0

    def _waiting(self) -> list[_Waiting]:
        """The longest due first."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._known = _who_waits()
                self._until = time.monotonic() + _TURNS_SECONDS
            return self._known


def _who_waits() -> list[_Waiting]:
    """One step into an index for each evaluator: however much waits for those that are paused, nobody goes over it."""
    waiting = Judgement.objects.filter(
        evaluator=OuterRef("pk"), status=JudgementStatus.WAITING, due_at__lte=timezone.now()
    )
    active = Evaluator.objects.filter(status=EvaluatorStatus.ACTIVE, project__deleted_at=None)
    first = Subquery(waiting.order_by("due_at").values("due_at")[:1])
    found = active.annotate(first=first).exclude(first=None).order_by("first", "pk")
    return [_Waiting(*row) for row in found.values_list("project_id", "pk")]


turns = Turns()


# --- Caps ------------------------------------------------------------------------------------------------
def _take(judgement: Judgement) -> bool:
    """Under the rule's lock where it has a cap, so that two threads do not spend the same rest of it."""
    now = timezone.now()
    with transaction.atomic():
        rule = _capped_rule(judgement)
        begun = {"started_at": now, "held_by": "", "problem": "", "is_pruned": False}
        if not judgements.take(judgement, unchanged=("due_at",), **begun):
            return False
        if rule is not None and not judgement.answer_text and not _is_within_cap(rule, now):
            _hold_until_tomorrow(rule, judgement, now)
            return False
    return True


def _capped_rule(judgement: Judgement) -> Rule | None:
    if judgement.rule_id is None:
        return None
    return Rule.objects.filter(pk=judgement.rule_id, daily_cap__isnull=False).select_for_update().first()


def _is_within_cap(rule: Rule, now: datetime) -> bool:
    """What was spent since midnight (UTC) and what is being spent, by what one costs on average."""
    assert rule.daily_cap is not None
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    todays = Judgement.objects.filter(rule=rule, started_at__gte=midnight).order_by()
    spent = todays.aggregate(total=Sum("cost"))["total"] or Decimal(0)
    going = (
        todays.filter(status=JudgementStatus.RUNNING, answer_text="").values_list("evaluator_id").annotate(Count("pk"))
    )
    expected = sum((number * (average_cost(id_) or Decimal(0)) for id_, number in going), Decimal(0))
    return bool(spent + expected <= rule.daily_cap and spent < rule.daily_cap)


def _hold_until_tomorrow(rule: Rule, taken: Judgement, now: datetime) -> None:
    """All that waits for this rule, and the one that was just taken."""
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    said = _("The daily cap of $%(cap)s is reached: it goes on at midnight (UTC).") % {"cap": f"{rule.daily_cap:.2f}"}
    mine = Judgement.objects.filter(rule=rule)
    held = {"due_at": tomorrow, "held_by": "cap", "problem": said}
    mine.filter(pk=taken.pk).update(status=JudgementStatus.WAITING, runner="", **held)
    mine.filter(status=JudgementStatus.WAITING, due_at__lt=tomorrow, answer_text="").update(**held)
