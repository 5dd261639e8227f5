"""Runs, worked on: threads of the worker's own, since a provider may take minutes, and the worker's other threads are
for what arrives.

The row is the truth. Whoever takes it leaves a mark and looks in every few seconds; a run whose process ended is found
by the sweep, or by the page that asks for its news, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, scope_for_job, scope_for_task
from accounts.models import Project
from config.claims import Claims, Watch
from config.crew import DATABASE_AWAY, Crew, patiently
from config.errors import Forbidden, Invalid, NotFound
from config.outgoing import Limits
from config.sealing import Unreadable
from prompts.llm import Answer, Call, Cancelled, ProviderError, Trouble, stream
from prompts.llm.hiding import hiding
from prompts.models import LlmConnection, PlaygroundRun, RunStatus
from prompts.playground import calls, traces
from prompts.playground.pieces import Writer
from tracing.ingest.own import trace_row, untraced

log = logging.getLogger(__name__)

_TOTAL_SECONDS = 900.0
_SILENCE_SECONDS = 180.0
_MOST_BYTES = 16 * 1024 * 1024
_LONGEST_BODY = 64 * 1024

claims = Claims(PlaygroundRun, waiting=RunStatus.QUEUED, running=RunStatus.RUNNING)


# --- Who works -------------------------------------------------------------------------------------------
def work_on_runs() -> None:
    """Gives waiting runs to threads of this process, as many as it may have, and returns at once."""
    sweep()
    crew.call(PlaygroundRun.objects.filter(status=RunStatus.QUEUED).count())


def work_on_next() -> bool:
    """Works on the run that has waited longest, in this thread, to its end. False where none waits."""
    for run in PlaygroundRun.objects.filter(status=RunStatus.QUEUED).order_by("created_at", "id")[:20]:
        if claims.take(run, started_at=timezone.now()):
            _work(run)
            return True
    return False


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
    patiently(lambda: _finish(run, outcome))


def _outcome_of(run: PlaygroundRun) -> _Outcome:
    outcome = _Outcome(RunStatus.DONE)
    held = claims.held(run)
    watch = Watch(crew, held, held.filter(is_stopping=False))
    writer = Writer(run.pk)
    hide: Callable[[str], str] = str
    try:
        scope = _scope_of(run)
        connection_ = _connection_of(scope, run)
        hide = hiding(connection_)
        call = calls.from_json(run.call)
        _receive(run, scope, connection_, call, watch, writer if call.stream else None, outcome)
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
    run: PlaygroundRun,
    scope: ProjectScope,
    connection_: LlmConnection,
    call: Call,
    watch: Watch,
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
            _tell_first(run, outcome.first_token_at)
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


def _tell_first(run: PlaygroundRun, at: datetime) -> None:
    try:
        claims.held(run).update(first_token_at=at)
    except DATABASE_AWAY:  # it is told again with the outcome
        connection.close()


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
    fields = ("status", "ended_at", "first_token_at", "answer", "problem", "finish_reason", "answered_model", "usage")
    said = {name: getattr(run, name) for name in (*fields, "cost")}
    if claims.held(run).update(**said, is_stopping=False):
        _trace(run)
    elif _was_deleted(run):
        _trace(run)  # the provider was asked all the same


def _was_deleted(run: PlaygroundRun) -> bool:
    """With its playground, while the project is still there."""
    is_there = PlaygroundRun.objects.filter(pk=run.pk).exists()
    return not is_there and Project.objects.present().filter(pk=run.project_id).exists()


def _trace(run: PlaygroundRun) -> None:
    trace_row(run, lambda: traces.hand_in(scope_for_task(run.project_id), run))


# --- What nobody works on any more -----------------------------------------------------------------------
def sweep() -> None:
    """Finds runs whose process ended, and ended runs whose trace was not handed in."""
    settle(claims.at_work())
    for run in untraced(PlaygroundRun.objects.filter(started_at__isnull=False)).order_by("ended_at")[:100]:
        _trace(run)


def settle(running: Iterable[PlaygroundRun]) -> None:
    """Ends those of these runs whose process is gone."""
    for run in claims.lost(running):
        run.status = RunStatus.STOPPED if run.is_stopping else RunStatus.LOST
        run.ended_at = timezone.now()
        run.problem = orjson.dumps(_problem("", LOST)).decode()
        said = {"status": run.status, "ended_at": run.ended_at, "problem": run.problem}
        if claims.held(run).update(**said, is_stopping=False):
            _trace(run)
