"""Judgements and trials, worked on by threads of the worker's own, since a model may take minutes to answer.

The row is the truth. Whoever takes one leaves a mark in it and looks in every few seconds; one whose process ended goes
on where it was: with the answer, where a judge had given it, else with the question. The score's id is the row's, so
that it is written once however often it is written.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, scope_for_job, scope_for_task
from accounts.models import Project
from config.claims import Claims, Watch
from config.crew import DATABASE_AWAY, Crew, patiently
from config.errors import Invalid, NotFound, SpanwiseError, Unavailable
from evals.actions.evaluators import pause_for
from evals.judging import traces
from evals.judging.asking import Failed, Question, total_cost
from evals.judging.definition import Definition, definition_of, from_json
from evals.judging.output import Judged
from evals.judging.targets import Loaded, Target, load
from evals.models import (
    Assignment,
    Evaluator,
    EvaluatorKind,
    EvaluatorStatus,
    Judgement,
    JudgementStatus,
    Rule,
    Trial,
)
from evals.models.datasets import json_of
from evals.queries.evaluators import average_cost, latest_of
from prompts.llm import Cancelled
from tracing.actions.removal import delete_scores
from tracing.analytics import store
from tracing.analytics.records import Score, ScoreSource
from tracing.analytics.tables import scores as scores_table
from tracing.ingest.own import trace_row, untraced
from tracing.ingest.write import put_scores

log = logging.getLogger(__name__)

#: of what a score says as its comment
_LONGEST_COMMENT = 10_000
#: entries of a log: more come of a judgement that was retried by people again and again
_MOST_ENTRIES = 50
_AVAILABLE_AGAIN = timedelta(seconds=10)
#: how long this process goes by what it knows of who waits
_TURNS_SECONDS = 1.0

judgements = Claims(Judgement, waiting=JudgementStatus.WAITING, running=JudgementStatus.RUNNING)
trials = Claims(Trial, waiting=JudgementStatus.WAITING, running=JudgementStatus.RUNNING)


# --- Who works -------------------------------------------------------------------------------------------
def work_on_judgements() -> None:
    """Gives what is due to threads of this process, as many as it may have, and returns at once."""
    sweep()
    waiting = Trial.objects.filter(status=JudgementStatus.WAITING).count()
    room = settings.JUDGEMENTS_PER_WORKER
    waiting += len(_due().values_list("pk", flat=True)[:room])
    crew.call(waiting)


def work_on_next() -> bool:
    """Works on what comes next, in this thread, to its end. False where nothing is due.

    Trials come first, as somebody looks on; then whoever of the projects has the least at work.
    """
    for trial in Trial.objects.filter(status=JudgementStatus.WAITING).order_by("created_at")[:10]:
        if trials.take(trial, started_at=timezone.now()):
            _try_out(trial)
            return True
    judgement = _claim_next()
    if judgement is None:
        return False
    _judge(judgement)
    return True


crew = Crew("judgements", lambda: settings.JUDGEMENTS_PER_WORKER, work_on_next)


def _due() -> Any:
    return Judgement.objects.filter(
        status=JudgementStatus.WAITING,
        due_at__lte=timezone.now(),
        evaluator__status=EvaluatorStatus.ACTIVE,
        project__deleted_at=None,
    )


class _Turns:
    """Which projects have something due, those with the least at work first; asked once for many claims."""

    def __init__(self) -> None:
        self._lock, self._known, self._until = threading.Lock(), [], 0.0  # type: ignore[var-annotated]

    def order(self) -> list[str]:
        with self._lock:
            if time.monotonic() >= self._until:
                due = _due().order_by().values("project_id").annotate(first=Min("due_at"))
                self._known = [(row["project_id"], row["first"]) for row in due]
                self._until = time.monotonic() + _TURNS_SECONDS
            known = list(self._known)
        if len(known) < 2:
            return [project_id for project_id, _first in known]
        running = dict(
            Judgement.objects.filter(status=JudgementStatus.RUNNING)
            .order_by()
            .values_list("project_id")
            .annotate(Count("pk"))
        )
        return [row[0] for row in sorted(known, key=lambda row: (running.get(row[0], 0), row[1]))]

    def forget(self) -> None:
        with self._lock:
            self._until = 0.0


_turns = _Turns()


def _claim_next() -> Judgement | None:
    judgement: Judgement
    for is_second in (False, True):
        for project_id in _turns.order():
            for judgement in _due().filter(project_id=project_id).order_by("due_at", "pk")[:20]:
                if _claim(judgement):
                    return judgement
        if not is_second:  # what was known may be old
            _turns.forget()
    return None


def _claim(judgement: Judgement) -> bool:
    """Under the rule's lock where it has a cap, so that two threads do not spend the same rest of it."""
    now = timezone.now()
    with transaction.atomic():
        rule = None
        if judgement.rule_id is not None:
            capped = Rule.objects.filter(pk=judgement.rule_id, daily_cap__isnull=False)
            rule = capped.select_for_update().first()
        if not judgements.take(judgement, unchanged=("due_at",), started_at=now, held_by="", problem=""):
            return False
        if rule is not None and not judgement.answer_text and not _is_within_cap(rule, judgement, now):
            _hold_until_tomorrow(rule, judgement, now)
            return False
    return True


def _is_within_cap(rule: Rule, judgement: Judgement, now: datetime) -> bool:
    """What was spent since midnight (UTC), what is being spent and this one, by what one costs on average."""
    assert rule.daily_cap is not None
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    todays = Judgement.objects.filter(rule=rule, started_at__gte=midnight)
    ended = todays.exclude(status=JudgementStatus.RUNNING)
    spent = ended.aggregate(total=Sum("cost"))["total"] or Decimal(0)
    going = dict(
        todays.filter(status=JudgementStatus.RUNNING).order_by().values_list("evaluator_id").annotate(Count("pk"))
    )
    expected = sum((number * (average_cost(id_) or Decimal(0)) for id_, number in going.items()), Decimal(0))
    return spent + expected <= rule.daily_cap and spent < rule.daily_cap


def _hold_until_tomorrow(rule: Rule, taken: Judgement, now: datetime) -> None:
    """All that waits for this rule, and the one that was just taken."""
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    said = _("The daily cap of $%(cap)s is reached: it goes on at midnight (UTC).") % {"cap": f"{rule.daily_cap:.2f}"}
    mine = Judgement.objects.filter(rule=rule)
    held = {"due_at": tomorrow, "held_by": "cap", "problem": said}
    mine.filter(pk=taken.pk).update(status=JudgementStatus.WAITING, runner="", started_at=None, **held)
    mine.filter(status=JudgementStatus.WAITING, due_at__lt=tomorrow, answer_text="").update(**held)


# --- One judgement ---------------------------------------------------------------------------------------
class _Lost(Exception):
    """The row is gone, or somebody else has taken it over."""


def _judge(judgement: Judgement) -> None:
    try:
        if not judgement.answer_text:
            _answer(judgement)
        if judgement.answer_text:
            _score(judgement)
    except _Lost:
        return
    if judgement.status in (JudgementStatus.DONE, JudgementStatus.FAILED):
        _trace(judgement)


def _answer(judgement: Judgement) -> None:
    """Asks the judge, and writes down what it said, or what becomes of the judgement."""
    entries = list(judgement.log)
    question: Question | None = None
    evaluator = Evaluator.objects.get(pk=judgement.evaluator_id)
    try:
        version = latest_of(evaluator)
        judgement.version = version
        definition = definition_of(version, evaluator.kind)
        mapping = _mapping_of(judgement, definition)
        scope = scope_for_task(judgement.project_id)
        loaded = load(scope, _target_of(judgement), only=_sources_in(definition, mapping))
        unread = sum(1 for one in entries[-judgement.attempts :] if _was_unread(one)) if judgement.attempts else 0
        watch = Watch(crew, judgements.held(judgement))
        question = Question(scope, definition, mapping, loaded.document, watch.is_stopped, skipped=unread // 2)
        judged = question.ask()
    except Cancelled:
        # The process ends, or the row is somebody else's: this attempt did not happen.
        patiently(lambda: _put_back(judgement))
        raise _Lost from None
    except NotFound as error:
        said = error.message
        patiently(lambda: _end(judgement, JudgementStatus.CANCELLED, entries, said))
    except Unavailable as error:
        said = error.message
        patiently(lambda: _put_back(judgement, rest=_AVAILABLE_AGAIN, problem=said))
        raise _Lost from None
    except Failed as error:
        failure = error
        entries += _logged(question)
        patiently(lambda: _failed(judgement, evaluator, failure, entries))
    except DATABASE_AWAY:
        raise
    except SpanwiseError as error:
        said = error.message
        patiently(lambda: _end(judgement, JudgementStatus.FAILED, [*entries, *_logged(question)], said))
    except Exception as error:
        log.exception("Judgement %s failed", judgement.pk)
        said = _("An unexpected error (%(name)s).") % {"name": type(error).__name__}
        patiently(lambda: _end(judgement, JudgementStatus.FAILED, [*entries, *_logged(question)], said))
    else:
        entries += _logged(question)
        if judged is None:
            said = _("The code found nothing to score.")
            patiently(lambda: _end(judgement, JudgementStatus.CANCELLED, entries, said))
        else:
            answer = _answer_of(judged, loaded, evaluator.name, definition)
            patiently(lambda: _note(judgement, answer, judged, entries))


def _logged(question: Question | None) -> list[dict[str, Any]]:
    return [one.as_json() for one in question.log] if question else []


def _was_unread(entry: dict[str, Any]) -> bool:
    return bool(entry["problem"]) and entry["status"] == 200


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


def _target_of(row: Judgement | Trial) -> Target:
    return Target(row.target, row.trace_id, row.observation_id, row.session_id, row.target_at)


def _answer_of(judged: Judged, loaded: Loaded, name: str, definition: Definition) -> dict[str, Any]:
    """All that the score needs, so that writing it again writes the same."""
    value: Any = list(judged.value) if isinstance(judged.value, tuple) else judged.value
    is_several = definition.output is not None and definition.output.allows_several
    several = len(definition.output.categories) if definition.output is not None and is_several else 0
    return {
        "name": name,
        "value": value,
        "reasoning": judged.reasoning.replace("\x00", "")[:_LONGEST_COMMENT],
        "data_type": _data_type(judged, definition),
        "environment": loaded.environment,
        "several": several,
    }


def _data_type(judged: Judged, definition: Definition) -> str:
    if definition.output is not None:
        return definition.output.data_type
    if isinstance(judged.value, bool):
        return "BOOLEAN"
    return "NUMERIC" if isinstance(judged.value, float) else "CATEGORICAL"


# --- What becomes of it ------------------------------------------------------------------------------------
def _write(judgement: Judgement, **changes: Any) -> None:
    """Raises _Lost where the row is not this thread's any more."""
    if not judgements.held(judgement).update(**changes):
        raise _Lost
    for name, value in changes.items():
        setattr(judgement, name, value)


def _text(entries: list[dict[str, Any]]) -> str:
    return orjson.dumps(entries[-_MOST_ENTRIES:]).decode()


def _note(judgement: Judgement, answer: dict[str, Any], judged: Judged, entries: list[dict[str, Any]]) -> None:
    """The judge has been paid: what it said is kept before anything else is tried."""
    _write(
        judgement,
        answer_text=orjson.dumps(answer).decode(),
        value=judged.shown,
        reasoning=answer["reasoning"],
        version=judgement.version,
        log_text=_text(entries),
        cost=total_cost(entries),
        attempts=judgement.attempts + 1,
    )


def _put_back(judgement: Judgement, *, rest: timedelta = timedelta(0), problem: str = "") -> None:
    _write(judgement, status=JudgementStatus.WAITING, runner="", due_at=timezone.now() + rest, problem=problem)


def _failed(judgement: Judgement, evaluator: Evaluator, failure: Failed, entries: list[dict[str, Any]]) -> None:
    if failure.pauses:
        pause_for(evaluator, failure.pauses, failure.message)
        said = {"log_text": _text(entries), "cost": total_cost(entries), "problem": failure.message}
        _write(judgement, status=JudgementStatus.WAITING, runner="", due_at=timezone.now(), **said)
        return
    plan = settings.JUDGEMENT_RETRY_SECONDS
    attempts = judgement.attempts + 1
    if failure.is_final or attempts > len(plan):
        _end(judgement, JudgementStatus.FAILED, entries, failure.message)
        return
    pause = max(float(plan[attempts - 1]), min(failure.retry_after, 3600.0))
    _write(
        judgement,
        status=JudgementStatus.WAITING,
        runner="",
        attempts=attempts,
        due_at=timezone.now() + timedelta(seconds=pause),
        problem=failure.message,
        log_text=_text(entries),
        cost=total_cost(entries),
    )


def _end(judgement: Judgement, status: JudgementStatus, entries: list[dict[str, Any]], problem: str) -> None:
    _write(
        judgement,
        status=status,
        ended_at=timezone.now(),
        problem=problem,
        version=judgement.version,
        log_text=_text(entries),
        cost=total_cost(entries),
        attempts=judgement.attempts + 1,
        is_traced=not entries,
    )


def _score(judgement: Judgement) -> None:
    """Writes what the judge said, then that it is done: between the two a kill leads to the same score again."""
    scope = scope_for_task(judgement.project_id)
    scores = _scores_of(judgement, json_of(judgement.answer_text))

    def write() -> None:
        put_scores(scope, scores)
        _remove_rest(scope, judgement, len(scores))
        _write(judgement, status=JudgementStatus.DONE, ended_at=timezone.now(), problem="", is_traced=False)

    try:
        patiently(write)
    except Unavailable as error:
        said = error.message
        patiently(lambda: _put_back(judgement, rest=_AVAILABLE_AGAIN, problem=said))
        raise _Lost from None
    except Invalid as error:
        said = error.message
        patiently(lambda: _end(judgement, JudgementStatus.FAILED, judgement.log, said))


def _remove_rest(scope: ProjectScope, judgement: Judgement, number: int) -> None:
    """Where several categories fit, and it was judged before, more of them may have then."""
    most = json_of(judgement.answer_text)["several"]
    rest = [_score_id(judgement, place) for place in range(number, most)]
    if not rest:
        return
    query = store.select(scope, scores_table, scores_table.c.id, scores_table.c.timestamp)
    found = store.rows(scope, query.where(scores_table.c.id.in_(rest)), tag="judge-rest", is_anew=True)
    delete_scores(scope, [(row.id, row.timestamp) for row in found])


def _score_id(judgement: Judgement, place: int) -> str:
    """Of several categories each has its own; the first has the judgement's."""
    return f"{judgement.score_id}-and-{place}" if place else judgement.score_id


def _scores_of(judgement: Judgement, answer: dict[str, Any]) -> list[Score]:
    """One; of several categories one for each."""
    now = timezone.now()
    score = Score(
        project_id=judgement.project_id,
        id=judgement.score_id,
        timestamp=judgement.created_at,
        name=answer["name"],
        trace_id=judgement.trace_id,
        observation_id=judgement.observation_id,
        session_id=judgement.session_id,
        source=ScoreSource.EVAL.value,
        data_type=answer["data_type"],
        comment=answer["reasoning"],
        metadata=orjson.dumps(_metadata(judgement)).decode(),
        environment=answer["environment"],
        execution_trace_id=judgement.execution_trace_id,
        created_at=now,
        updated_at=now,
    )
    value = answer["value"]
    match answer["data_type"]:
        case "NUMERIC":
            return [replace(score, value=float(value))]
        case "BOOLEAN":
            return [replace(score, value=1.0 if value else 0.0, string_value="True" if value else "False")]
        case "TEXT":
            return [replace(score, string_value=value)]
    return [replace(score, id=_score_id(judgement, number), string_value=label) for number, label in enumerate(value)]


def _metadata(judgement: Judgement) -> dict[str, Any]:
    """The names are those by which the API's lists find what an evaluator or rule gave."""
    found: dict[str, Any] = {"evaluator_id": judgement.evaluator_id}
    if judgement.version is not None:
        found["evaluator_version"] = judgement.version.number
    if judgement.rule_id is not None:
        found["rule_id"] = judgement.rule_id
    return found


def _trace(judgement: Judgement) -> None:
    """Once, or again with the same ids: whatever is not marked as traced is found by the sweep."""
    name = json_of(judgement.answer_text)["name"] if judgement.answer_text else judgement.evaluator.name
    about = {"judgement_id": judgement.pk, "target": judgement.target, "target_trace_id": judgement.trace_id}
    about |= {"target_observation_id": judgement.observation_id, "target_session_id": judgement.session_id}
    metadata = {**_metadata(judgement), **{key: value for key, value in about.items() if value}}
    _hand_in(judgement, name, metadata)


def _hand_in(row: Judgement | Trial, name: str, metadata: dict[str, Any]) -> None:
    def hand_in() -> None:
        if row.log:
            traces.hand_in(scope_for_task(row.project_id), row, name=name, metadata=metadata)

    trace_row(row, hand_in)


# --- Trials ------------------------------------------------------------------------------------------------
def _try_out(trial: Trial) -> None:
    said = json_of(trial.definition_text)
    name = said.pop("name") or _("Test of an evaluator")
    question: Question | None = None
    changes: dict[str, Any]
    try:
        definition = from_json(said)
        author, project_id = trial.author_id, trial.project_id
        scope = scope_for_job(project_id, author) if author else scope_for_task(project_id)
        loaded = load(scope, _target_of(trial))
        watch = Watch(crew, trials.held(trial))
        question = Question(scope, definition, definition.mapping or [], loaded.document, watch.is_stopped)
        judged = question.ask()
        if judged is None:
            changes = {"status": JudgementStatus.DONE, "problem": _("The code found nothing to score.")}
        else:
            changes = {"status": JudgementStatus.DONE, "value": judged.shown, "reasoning": judged.reasoning}
    except Cancelled:
        changes = {"status": JudgementStatus.FAILED, "problem": _("The worker ended while this ran. Test it again.")}
    except (Failed, SpanwiseError) as error:
        changes = {"status": JudgementStatus.FAILED, "problem": error.message}
    except DATABASE_AWAY:
        raise
    except Exception as error:
        log.exception("Trial %s failed", trial.pk)
        words = _("An unexpected error (%(name)s).") % {"name": type(error).__name__}
        changes = {"status": JudgementStatus.FAILED, "problem": words}
    entries = _logged(question)
    changes |= {"log_text": _text(entries), "cost": total_cost(entries), "ended_at": timezone.now()}
    patiently(lambda: _update(trials.held(trial), changes))
    trial.refresh_from_db()
    _trace_trial(trial, name)


def _update(rows: Any, changes: dict[str, Any]) -> None:
    rows.update(**changes)


def _trace_trial(trial: Trial, name: str) -> None:
    metadata = {"trial_id": trial.pk, "target": trial.target, "target_trace_id": trial.trace_id}
    _hand_in(trial, name, {key: value for key, value in metadata.items() if value})


# --- What nobody works on any more -------------------------------------------------------------------------
def sweep() -> None:
    """Finds rows whose process ended, and ended ones whose trace was not handed in."""
    for judgement in judgements.lost(judgements.at_work().only("runner", "heartbeat_at")):
        judgements.held(judgement).update(status=JudgementStatus.WAITING, runner="", due_at=timezone.now())
    for trial in trials.lost(trials.at_work().only("runner", "heartbeat_at")):
        words = _("The worker ended while this ran. Test it again.")
        trials.held(trial).update(status=JudgementStatus.FAILED, problem=words, ended_at=timezone.now())
    present = Project.objects.present().values("pk")
    rows = untraced(Judgement.objects.filter(project__in=present)).exclude(status=JudgementStatus.WAITING)
    for judgement in rows.select_related("evaluator", "version")[:100]:
        _trace(judgement)
    for trial in untraced(Trial.objects.filter(project__in=present))[:20]:
        _trace_trial(trial, json_of(trial.definition_text)["name"] or _("Test of an evaluator"))
