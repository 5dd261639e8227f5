"""A definition tried before it is saved: asked once, while somebody looks on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, scope_for_job, scope_for_task
from config.crew import DATABASE_AWAY, patiently
from config.errors import SpanwiseError
from evals.judging import traces
from evals.judging.asking import Failed, Question
from evals.judging.claiming import trials
from evals.judging.definition import from_json
from evals.judging.outcome import kept
from evals.judging.output import Judged
from evals.judging.targets import Target, load
from evals.models import JudgementStatus, Trial
from evals.models.datasets import json_of
from prompts.llm import Cancelled

log = logging.getLogger(__name__)


def try_out(trial: Trial, is_cancelled: Callable[[], bool]) -> None:
    """To its end: what came of it is in the row, and traced."""
    question: Question | None = None
    try:
        question = _question_of(trial, is_cancelled)
        found = _answered(question.ask())
    except Cancelled:
        found = _failed(_interrupted())
    except (Failed, SpanwiseError) as error:
        found = _failed(error.message)
    except DATABASE_AWAY:
        raise
    except Exception as error:
        log.exception("Trial %s failed", trial.pk)
        found = _failed(_("An unexpected error (%(name)s).") % {"name": type(error).__name__})
    entries = question.entries if question else []
    patiently(lambda: _change(trial, **found, **kept(entries), ended_at=timezone.now()))
    trial.refresh_from_db()
    trace(trial)


def _question_of(trial: Trial, is_cancelled: Callable[[], bool]) -> Question:
    said = json_of(trial.definition_text)
    said.pop("name")
    definition = from_json(said)
    scope = _scope_of(trial)
    loaded = load(scope, Target.of(trial))
    return Question(scope, definition, definition.mapping or [], loaded.document, is_cancelled)


def _scope_of(trial: Trial) -> ProjectScope:
    """That of whoever asked for it, as they are allowed now."""
    author = trial.author_id
    return scope_for_job(trial.project_id, author) if author else scope_for_task(trial.project_id)


def _answered(judged: Judged | None) -> dict[str, Any]:
    if judged is None:
        return {"status": JudgementStatus.DONE, "problem": _("The code found nothing to score.")}
    return {"status": JudgementStatus.DONE, "value": judged.shown, "reasoning": judged.reasoning}


def _failed(problem: str) -> dict[str, Any]:
    return {"status": JudgementStatus.FAILED, "problem": problem}


def _interrupted() -> str:
    return _("The worker ended while this ran. Test it again.")


def _change(trial: Trial, **changes: Any) -> None:
    trials.held(trial).update(**changes)


def trace(trial: Trial) -> None:
    name = json_of(trial.definition_text)["name"] or _("Test of an evaluator")
    about = {"trial_id": trial.pk, "target": trial.target, "target_trace_id": trial.trace_id}
    traces.hand_in_row(trial, name, {key: value for key, value in about.items() if value})


def give_up_lost() -> None:
    """Those whose process ended: whoever looks on asks again."""
    for trial in trials.lost(trials.at_work().only("runner", "heartbeat_at")):
        _change(trial, **_failed(_interrupted()), ended_at=timezone.now())
