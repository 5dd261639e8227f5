"""Runs, worked on: threads of the worker's own, since a provider may take minutes, and the worker's other threads are
for what arrives.

The row is the truth. Whoever takes it leaves a mark and looks in every few seconds; a run whose process ended is found
by the sweep, or by the page that asks for its news, and says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, scope_for_job, scope_for_task
from accounts.models import Project
from config import runners
from config.crew import DATABASE_AWAY, Crew
from config.errors import Forbidden, Invalid, NotFound, Unavailable
from config.outgoing import Limits
from config.sealing import Unreadable
from prompts.llm import Answer, Call, Cancelled, ProviderError, Trouble, stream
from prompts.llm.hiding import hiding
from prompts.models import LlmConnection, PlaygroundRun, RunStatus
from prompts.playground import calls, traces
from prompts.playground.pieces import Writer

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
_HEARTBEAT_SECONDS = 5.0
#: how often a run looks whether somebody wants it to stop
_LOOK_SECONDS = 0.4
_TOTAL_SECONDS = 900.0
_SILENCE_SECONDS = 180.0
_MOST_BYTES = 16 * 1024 * 1024
_LONGEST_BODY = 64 * 1024
#: a trace is not handed in again by a sweep while whoever ended the run is just doing it
_UNTRACED_AFTER = timedelta(seconds=10)


# --- Who works -------------------------------------------------------------------------------------------
def work_on_runs() -> None:
    """Gives waiting runs to threads of this process, as many as it may have, and returns at once."""
    sweep()
    crew.call(PlaygroundRun.objects.filter(status=RunStatus.QUEUED).count())


def work_on_next() -> bool:
    """Works on the run that has waited longest, in this thread, to its end. False where none waits."""
    for run in PlaygroundRun.objects.filter(status=RunStatus.QUEUED).order_by("created_at", "id")[:20]:
        if _claim(run):
            _work(run)
            return True
    return False


def _claim(run: PlaygroundRun) -> bool:
    now, mark = timezone.now(), runners.new_mark()
    free = PlaygroundRun.objects.filter(pk=run.pk, status=RunStatus.QUEUED)
    if not free.update(status=RunStatus.RUNNING, runner=mark, heartbeat_at=now, started_at=now):
        return False
    run.refresh_from_db()
    return True


crew = Crew("playground", lambda: settings.PLAYGROUND_RUNS_PER_WORKER, work_on_next)


# --- One run ---------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Outcome:
    """What became of a call."""

    status: RunStatus
    answer: Answer = field(default_factory=Answer)
    problem: dict[str, Any] | None = None
    first_token_at: datetime | None = None


def _work(run: PlaygroundRun) -> None:
    outcome = _outcome_of(run)
    crew.patiently(lambda: _finish(run, outcome))


def _outcome_of(run: PlaygroundRun) -> _Outcome:
    outcome = _Outcome(RunStatus.DONE)
    watch = _Watch(run)
    writer = Writer(run.pk)
    hide: Callable[[str], str] = str
    try:
        scope = _scope_of(run)
        connection_ = _connection_of(scope, run)
        hide = hiding(connection_)
        call = calls.from_json(run.call)
        _receive(scope, connection_, call, watch, writer if call.stream else None, outcome)
    except Cancelled:
        outcome.status = RunStatus.LOST if watch.is_worker_ending else RunStatus.STOPPED
        outcome.problem = _problem("", LOST if watch.is_worker_ending else _("Stopped."))
    except ProviderError as error:
        outcome.status = RunStatus.FAILED
        outcome.problem = _problem_of(error, hide)
    except (Forbidden, NotFound, Invalid, Unreadable) as error:
        outcome.status = RunStatus.FAILED
        outcome.problem = _problem(Trouble.SETUP.value, error.message)
    except Exception as error:
        log.exception("Run %s of a playground failed", run.pk)
        outcome.status = RunStatus.FAILED
        outcome.problem = _problem("", _("An unexpected error (%(name)s).") % {"name": type(error).__name__})
    finally:
        writer.flush(is_last=True)
    return outcome


#: said of a run whose process is gone
LOST = "The worker ended while this ran."


def _receive(
    scope: ProjectScope,
    connection_: LlmConnection,
    call: Call,
    watch: _Watch,
    writer: Writer | None,
    outcome: _Outcome,
) -> None:
    def is_stopped() -> bool:
        if writer is not None:
            writer.flush()
        return watch.is_stopped()

    limits = Limits(
        connect_seconds=10,
        # An answer that comes in one piece is silent until it is there.
        silence_seconds=_SILENCE_SECONDS if call.stream else _TOTAL_SECONDS,
        total_seconds=_TOTAL_SECONDS,
        most_bytes=_MOST_BYTES,
    )
    for event in stream(scope, connection_, call, is_cancelled=is_stopped, limits=limits):
        if outcome.first_token_at is None:
            outcome.first_token_at = timezone.now()
            watch.tell_first(outcome.first_token_at)
        outcome.answer.add(event)
        if writer is not None:
            writer.add(event)


def _scope_of(run: PlaygroundRun) -> ProjectScope:
    """That of whoever started it, as it is now: what they may not do any more is not done in their name."""
    if run.author_id is None:
        raise Forbidden(_("Whoever started this is gone."))
    return scope_for_job(run.project_id, run.author_id)


def _connection_of(scope: ProjectScope, run: PlaygroundRun) -> LlmConnection:
    found = LlmConnection.objects.filter(project_id=scope.project_id, provider=run.connection).first()
    if found is None:
        raise NotFound(_("The connection %(name)s is not there any more.") % {"name": run.connection})
    return found


def _problem(trouble: str, message: str) -> dict[str, Any]:
    return {"trouble": trouble, "message": message, "status": None, "body": "", "request_id": ""}


def _problem_of(error: ProviderError, hide: Callable[[str], str]) -> dict[str, Any]:
    return {
        "trouble": error.trouble.value,
        "message": hide(error.message),
        "status": error.provider_status,
        "body": hide(error.body)[:_LONGEST_BODY],
        "request_id": error.request_id,
        "retry_after_seconds": error.retry_after_seconds,
    }


class _Watch:
    """Looks now and then whether the run shall go on, and tells others that somebody works on it."""

    def __init__(self, run: PlaygroundRun) -> None:
        self._run = run
        self._look_at = self._beat_at = 0.0
        self._is_stopped = False
        self.is_worker_ending = False

    def is_stopped(self) -> bool:
        if crew.is_ending:
            self.is_worker_ending = True
            return True
        now = time.monotonic()
        if not self._is_stopped and now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            try:
                self._is_stopped = not self._may_go_on(now)
            except DATABASE_AWAY:  # nobody can stop it just now; the answer goes on
                connection.close()
        return self._is_stopped

    def tell_first(self, at: datetime) -> None:
        try:
            PlaygroundRun.objects.filter(pk=self._run.pk, runner=self._run.runner).update(first_token_at=at)
        except DATABASE_AWAY:  # it is told again with the outcome
            connection.close()

    def _may_go_on(self, now: float) -> bool:
        mine = PlaygroundRun.objects.filter(
            pk=self._run.pk, runner=self._run.runner, status=RunStatus.RUNNING, is_stopping=False
        )
        if now >= self._beat_at:
            self._beat_at = now + _HEARTBEAT_SECONDS
            return bool(mine.update(heartbeat_at=timezone.now()))
        return mine.exists()


# --- What became of it -----------------------------------------------------------------------------------
def _finish(run: PlaygroundRun, outcome: _Outcome) -> None:
    """Writes the outcome, unless the run is gone or was taken for lost; then hands the trace in."""
    answer, finished = outcome.answer, outcome.answer.finished
    run.status = outcome.status
    run.ended_at = timezone.now()
    run.first_token_at = outcome.first_token_at
    is_something = answer.text or answer.refusal or answer.thinking or answer.tool_calls
    run.answer = orjson.dumps(answer.as_message()).decode() if is_something or finished else ""
    run.problem = orjson.dumps(outcome.problem).decode() if outcome.problem else ""
    if finished is not None:
        run.finish_reason = finished.finish_reason.value
        run.answered_model = finished.model.replace("\x00", "")[:255]
        run.usage = {kind.replace("\x00", ""): units for kind, units in finished.usage.items()}
        run.cost = traces.cost_of(run)
    mine = PlaygroundRun.objects.filter(pk=run.pk, runner=run.runner, status=RunStatus.RUNNING)
    fields = ("status", "ended_at", "first_token_at", "answer", "problem", "finish_reason", "answered_model", "usage")
    if mine.update(**{name: getattr(run, name) for name in (*fields, "cost")}, is_stopping=False):
        _trace(run)
    elif _was_deleted(run):
        _trace(run)  # the provider was asked all the same


def _was_deleted(run: PlaygroundRun) -> bool:
    """With its playground, while the project is still there."""
    is_there = PlaygroundRun.objects.filter(pk=run.pk).exists()
    return not is_there and Project.objects.present().filter(pk=run.project_id).exists()


def _trace(run: PlaygroundRun) -> None:
    """Once, or again with the same ids: whatever is not marked as traced is found by the sweep."""
    try:
        traces.hand_in(scope_for_task(run.project_id), run)
    except Unavailable as error:
        log.warning("The trace of run %s waits: %s", run.pk, error)
        return
    except Invalid as error:
        log.error("Run %s cannot be traced: %s", run.pk, error.message)
    PlaygroundRun.objects.filter(pk=run.pk).update(is_traced=True)


# --- What nobody works on any more -----------------------------------------------------------------------
def sweep() -> None:
    """Finds runs whose process ended, and ended runs whose trace was not handed in."""
    settle(PlaygroundRun.objects.filter(status=RunStatus.RUNNING))
    before = timezone.now() - _UNTRACED_AFTER
    untraced = PlaygroundRun.objects.filter(is_traced=False, started_at__isnull=False, ended_at__lt=before)
    for run in untraced.order_by("ended_at")[:100]:
        _trace(run)


def settle(running: Iterable[PlaygroundRun]) -> None:
    """Ends those of these runs whose process is gone."""
    for run in running:
        if run.status != RunStatus.RUNNING or not runners.is_gone(run.runner, run.heartbeat_at, LEASE):
            continue
        mine = PlaygroundRun.objects.filter(pk=run.pk, runner=run.runner, status=RunStatus.RUNNING)
        run.status = RunStatus.STOPPED if run.is_stopping else RunStatus.LOST
        run.ended_at = timezone.now()
        run.problem = orjson.dumps(_problem("", LOST)).decode()
        if mine.update(status=run.status, ended_at=run.ended_at, problem=run.problem, is_stopping=False):
            _trace(run)
