"""Judgements and trials, worked on by threads of the worker's own, since a model may take minutes to answer.

The row is the truth. Whoever takes one leaves a mark in it and looks in every few seconds; one whose process ended goes
on where it was: with the answer, where a judge had given it, else with the question. The score's id is the row's, so
that it is written once however often it is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import scope_for_task
from config.claims import Watch
from config.crew import DATABASE_AWAY, Crew, patiently
from config.errors import Invalid, NotFound, SpanwiseError, Unavailable
from evals.judging import claiming, scoring, traces, trials
from evals.judging.asking import Failed, Question
from evals.judging.claiming import judgements
from evals.judging.definition import Definition, definition_of
from evals.judging.outcome import Lost, change, end, give_up_lost, note_answer, put_back, settle_failure
from evals.judging.targets import Target, load
from evals.models import Assignment, Evaluator, EvaluatorKind, Judgement, JudgementStatus, Trial
from evals.models.datasets import json_of
from evals.queries.evaluators import latest_of
from prompts.llm import Cancelled
from tracing.ingest.own import untraced

log = logging.getLogger(__name__)

_AVAILABLE_AGAIN = timedelta(seconds=10)


# --- Who works -------------------------------------------------------------------------------------------
def work_on_judgements() -> None:
    """Gives what is due to threads of this process, as many as it may have, and returns at once."""
    sweep()
    waiting = Trial.objects.filter(status=JudgementStatus.WAITING).count()
    waiting += len(claiming.due().values_list("pk", flat=True)[: settings.JUDGEMENTS_PER_WORKER])
    crew.call(waiting)


def work_on_next() -> bool:
    """Works on what comes next, in this thread, to its end. False where nothing is due.

    Trials come first, as somebody looks on; then whoever of the projects has the least at work.
    """
    trial = claiming.take_trial()
    if trial is not None:
        trials.try_out(trial, Watch(crew, claiming.trials.held(trial)).is_stopped)
        return True
    judgement = claiming.take_judgement()
    if judgement is not None:
        _judge(judgement)
        return True
    return False


crew = Crew("judgements", lambda: settings.JUDGEMENTS_PER_WORKER, work_on_next)


# --- One judgement ---------------------------------------------------------------------------------------
def _judge(judgement: Judgement) -> None:
    try:
        _answer_and_score(judgement)
    except Lost:
        return
    if judgement.status in (JudgementStatus.DONE, JudgementStatus.FAILED):
        _trace(judgement)


def _answer_and_score(judgement: Judgement) -> None:
    try:
        if not judgement.answer_text:
            patiently(_asked(_Attempt(judgement)))
        if judgement.answer_text:
            _score(judgement)
    except (Lost, *DATABASE_AWAY):
        raise
    except Exception as error:
        # What cannot be written now cannot be later, and each time would be paid for.
        log.exception("What came of judgement %s cannot be written", judgement.pk)
        patiently(partial(end, judgement, JudgementStatus.FAILED, judgement.log, _unexpected(error)))


class _Attempt:
    """One asking of a judge. `entries` are the log of this attempt and of those before, whatever came of them."""

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement
        self.evaluator = Evaluator.objects.get(pk=judgement.evaluator_id)
        self._before = judgement.log
        self._question: Question | None = None

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [*self._before, *(self._question.entries if self._question else [])]

    def ask(self, is_cancelled: Callable[[], bool]) -> Callable[[], None]:
        """What is to be written of it. Raises what keeps it from an answer."""
        judgement, evaluator = self.judgement, self.evaluator
        judgement.version = latest_of(evaluator)
        definition = definition_of(judgement.version, evaluator.kind)
        mapping = _mapping_of(judgement, definition)
        scope = scope_for_task(judgement.project_id)
        loaded = load(scope, Target.of(judgement), only=_sources_in(definition, mapping))
        self._question = Question(
            scope, definition, mapping, loaded.document, is_cancelled, skipped=self._answers_not_read() // 2
        )
        judged = self._question.ask()
        if judged is None:
            words = _("The code found nothing to score.")
            return partial(end, judgement, JudgementStatus.CANCELLED, self.entries, words)
        answer = scoring.answer_of(judged, loaded, evaluator.name, definition)
        return partial(note_answer, judgement, answer, judged, self.entries)

    def _answers_not_read(self) -> int:
        """Of the attempts since somebody wanted it to be judged."""
        recent = self._before[-self.judgement.attempts :] if self.judgement.attempts else []
        return sum(1 for one in recent if one["problem"] and one["status"] == 200)


def _asked(attempt: _Attempt) -> Callable[[], None]:
    """Asks the judge. What is to be written then: what it said, or what becomes of the judgement."""
    judgement = attempt.judgement
    try:
        return attempt.ask(Watch(crew, judgements.held(judgement)).is_stopped)
    except Cancelled:
        # The process ends, or the row is somebody else's: this attempt did not happen.
        return partial(put_back, judgement)
    except NotFound as error:
        return partial(end, judgement, JudgementStatus.CANCELLED, attempt.entries, error.message)
    except Unavailable as error:
        return partial(put_back, judgement, rest=_AVAILABLE_AGAIN, problem=error.message)
    except Failed as error:
        return partial(settle_failure, judgement, attempt.evaluator, error, attempt.entries)
    except DATABASE_AWAY:
        raise
    except SpanwiseError as error:
        return partial(end, judgement, JudgementStatus.FAILED, attempt.entries, error.message)
    except Exception as error:
        log.exception("Judgement %s failed", judgement.pk)
        return partial(end, judgement, JudgementStatus.FAILED, attempt.entries, _unexpected(error))


def _unexpected(error: Exception) -> str:
    return _("An unexpected error (%(name)s).") % {"name": type(error).__name__}


def _mapping_of(judgement: Judgement, definition: Definition) -> list[dict[str, Any]]:
    """That of the rule, else the evaluator's own."""
    if judgement.rule_id is not None:
        assignment = Assignment.objects.filter(rule_id=judgement.rule_id, evaluator_id=judgement.evaluator_id).first()
        if assignment is not None and assignment.mapping is not None:
            return assignment.mapping
    return definition.mapping or []


def _sources_in(definition: Definition, mapping: list[dict[str, Any]]) -> list[str] | None:
    """None where code decides what it looks at."""
    return None if definition.kind == EvaluatorKind.CODE else [str(one["source"]) for one in mapping]


def _score(judgement: Judgement) -> None:
    """Writes what the judge said, then that it is done: between the two a kill leads to the same score again."""

    def write() -> None:
        scoring.put(scope_for_task(judgement.project_id), judgement)
        change(judgement, status=JudgementStatus.DONE, ended_at=timezone.now(), problem="", is_traced=False)

    try:
        patiently(write)
    except Unavailable as error:
        patiently(partial(put_back, judgement, rest=_AVAILABLE_AGAIN, problem=error.message))
    except Invalid as error:
        patiently(partial(end, judgement, JudgementStatus.FAILED, judgement.log, error.message))


def _trace(judgement: Judgement) -> None:
    name = json_of(judgement.answer_text)["name"] if judgement.answer_text else judgement.evaluator.name
    about = {"judgement_id": judgement.pk, "target": judgement.target, "target_trace_id": judgement.trace_id}
    about |= {"target_observation_id": judgement.observation_id, "target_session_id": judgement.session_id}
    metadata = {**scoring.metadata_of(judgement), **{key: value for key, value in about.items() if value}}
    traces.hand_in_row(judgement, name, metadata)


# --- What nobody works on any more -----------------------------------------------------------------------
def sweep() -> None:
    """Finds rows whose process ended, and ended ones whose trace was not handed in."""
    give_up_lost()
    trials.give_up_lost()
    ended = untraced(Judgement.objects.filter(project__deleted_at=None))
    for judgement in ended.select_related("evaluator", "version")[:100]:
        _trace(judgement)
    for trial in untraced(Trial.objects.filter(project__deleted_at=None))[:20]:
        trials.trace(trial)
