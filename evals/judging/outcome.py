"""What becomes of a judgement that somebody works on. Each change is one update of a row that is still held: what
another process has taken over is left to that one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from evals.actions.evaluators import pause_for
from evals.judging.asking import Failed, total_cost
from evals.judging.claiming import judgements
from evals.judging.output import Judged
from evals.models import Evaluator, Judgement, JudgementStatus

#: entries of a log: more come of a judgement that was retried by people again and again
_MOST_ENTRIES = 50
#: however long a provider wants to be left alone for
_LONGEST_PAUSE_SECONDS = 3600.0

Entries = Sequence[dict[str, Any]]


class Lost(Exception):
    """The row is gone, or somebody else has taken it over."""


def change(judgement: Judgement, **changes: Any) -> None:
    """Raises Lost where the row is not this thread's any more."""
    if not judgements.held(judgement).update(**changes):
        raise Lost
    for name, value in changes.items():
        setattr(judgement, name, value)


def kept(entries: Entries) -> dict[str, Any]:
    """What a row keeps of its attempts."""
    return {"log_text": orjson.dumps(list(entries[-_MOST_ENTRIES:])).decode(), "cost": total_cost(entries)}


def note_answer(judgement: Judgement, answer: dict[str, Any], judged: Judged, entries: Entries) -> None:
    """The judge has been paid: what it said is kept before anything else is tried."""
    # The sweep may have taken this thread for lost, while it could not reach the database: the row waits again, with
    # the mark that it had, until somebody else takes it.
    given_up = Judgement.objects.filter(pk=judgement.pk, runner=judgement.runner, status=JudgementStatus.WAITING)
    given_up.filter(answer_text="").update(status=JudgementStatus.RUNNING, heartbeat_at=timezone.now())
    change(
        judgement,
        answer_text=orjson.dumps(answer).decode(),
        value=judged.shown,
        reasoning=answer["reasoning"],
        version=judgement.version,
        attempts=judgement.attempts + 1,
        **kept(entries),
    )


def put_back(judgement: Judgement, *, rest: timedelta = timedelta(0), problem: str = "", **changes: Any) -> None:
    """It waits again."""
    due_at = timezone.now() + rest
    change(judgement, status=JudgementStatus.WAITING, runner="", due_at=due_at, problem=problem, **changes)


def end(judgement: Judgement, status: JudgementStatus, entries: Entries, problem: str) -> None:
    """There will be no score."""
    change(
        judgement,
        status=status,
        ended_at=timezone.now(),
        problem=problem,
        version=judgement.version,
        attempts=judgement.attempts + 1,
        is_traced=not entries,
        **kept(entries),
    )


def give_up_lost() -> None:
    """What somebody worked on whose process ended waits again. It is counted: a target may be what ends them."""
    lost = judgements.at_work().only("runner", "heartbeat_at", "attempts", "log_text")
    for judgement in judgements.lost(lost):
        now, attempts = timezone.now(), judgement.attempts + 1
        if attempts <= len(settings.JUDGEMENT_RETRY_SECONDS):
            # The mark stays: whoever left it may have been silent merely, and come with an answer.
            changes = {"status": JudgementStatus.WAITING, "due_at": now}
        else:
            said = _("The worker ended each time while this ran: its target may take more memory than there is.")
            changes = {"status": JudgementStatus.FAILED, "ended_at": now, "problem": said}
            changes |= {"is_traced": not judgement.log}
        judgements.held(judgement).update(attempts=attempts, **changes)


def settle_failure(judgement: Judgement, evaluator: Evaluator, failure: Failed, entries: Entries) -> None:
    """It waits for its evaluator, is tried again later, or has failed for good."""
    if failure.pauses:
        pause_for(evaluator, failure.pauses, failure.message)
        put_back(judgement, problem=failure.message, **kept(entries))
        return
    plan, attempts = settings.JUDGEMENT_RETRY_SECONDS, judgement.attempts + 1
    if failure.is_final or attempts > len(plan):
        end(judgement, JudgementStatus.FAILED, entries, failure.message)
        return
    seconds = max(float(plan[attempts - 1]), min(failure.retry_after, _LONGEST_PAUSE_SECONDS))
    rest = timedelta(seconds=seconds)
    put_back(judgement, rest=rest, problem=failure.message, attempts=attempts, **kept(entries))
