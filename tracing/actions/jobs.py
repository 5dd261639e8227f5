"""Jobs: started by people, worked on in steps, resumed by another process where one was killed.

A kind is a function `(scope, job, step)` that goes on at `step.cursor`, does a bounded piece of work, calls `step.save`
and so on until all is done. Each `save` may be the last that it comes to: the turn is over, the job was cancelled or
the process ends. So what lies between two saves must bear to be done twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, scope_for_job, scope_for_task
from accounts.audit import Actor, record
from accounts.roles import Role
from config import runners
from config.calling import tell_worker
from config.errors import Conflict, Forbidden, NotFound, SpanwiseError, Unavailable
from tracing.models.jobs import UNFINISHED, Job, JobStatus

log = logging.getLogger(__name__)

#: A job's turn; then the next one has its own, and nobody waits behind a long one.
TURN_SECONDS = 10.0
#: Longer than any one statement may take. A runner on another machine that is silent for so long is taken to be dead.
_LEASE = timedelta(seconds=180)
_REST = timedelta(seconds=5)
#: Begun this often without any progress, a job is taken to be what ends its worker.
_MOST_ATTEMPTS = 5

Work = Callable[[ProjectScope, Job, "Step"], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """`role` is what starting and cancelling one needs. `when_cut_short` is told of a job that failed or was cancelled,
    in the transaction that says so."""

    name: str
    title: str | Promise
    role: Role
    work: Work
    when_cut_short: Callable[[Job], None] | None = None


_kinds: dict[str, Kind] = {}
#: ids of jobs that this process works on right now; a claim of ours on another is one that a failure left behind
_working: set[str] = set()
_ending = threading.Event()
_asked = threading.Event()
_one_at_a_time = threading.Lock()


class _Stopped(Exception):
    """Leaves a kind's function in the middle."""


class _TurnOver(_Stopped):
    pass


class _Cancelled(_Stopped):
    pass


class _Lost(_Stopped):
    """Somebody else works on the job by now."""


def job_kind(
    name: str,
    *,
    title: str | Promise,
    role: Role = Role.MEMBER,
    when_cut_short: Callable[[Job], None] | None = None,
) -> Callable[[Work], Work]:
    """Registers a function as what jobs called `name` do."""

    def register(work: Work) -> Work:
        _kinds[name] = Kind(name, title, role, work, when_cut_short)
        return work

    return register


def kind_of(job: Job) -> Kind | None:
    """None for a kind that this version does not know (any more)."""
    return _kinds.get(job.kind)


class Step:
    """A kind's hold on its job: where to go on, and the one way to say how far it is."""

    def __init__(self, job: Job, until: float) -> None:
        self._job, self._until = job, until

    @property
    def cursor(self) -> dict[str, Any]:
        """As last saved; {} at the very start."""
        return dict(self._job.cursor)

    def save(
        self,
        *,
        cursor: dict[str, Any] | None = None,
        done: int = 0,
        failed: int = 0,
        total: int | None = None,
        message: str | None = None,
        result: dict[str, Any] | None = None,
        stops: bool = True,
    ) -> None:
        """Keeps progress: `done` and `failed` are added, the others replace what was there.

        Does not return when the turn is over, the job was cancelled or somebody else took it. Whoever saves beside
        other rows, in one transaction, says `stops=False` and calls `go_on` once they are safe.
        """
        job = self._job
        changes: dict[str, Any] = {"heartbeat_at": timezone.now(), "attempts": 0}
        given = {"cursor": cursor, "total": total, "message": message, "result": result}
        changes |= {name: value for name, value in given.items() if value is not None}
        mine = Job.objects.filter(pk=job.pk, runner=job.runner, status=JobStatus.RUNNING)
        if not mine.update(**changes, done=F("done") + done, failed=F("failed") + failed):
            raise _Lost
        job.refresh_from_db()
        if stops:
            self.go_on()

    def go_on(self) -> None:
        """Leaves the kind's function where it has to stop. For those who save inside a transaction of their own."""
        self.heed_cancellation()
        if _ending.is_set() or time.monotonic() >= self._until:
            raise _TurnOver

    def heed_cancellation(self) -> None:
        if Job.objects.filter(pk=self._job.pk, is_cancelling=True).exists():
            raise _Cancelled


def start_job(
    scope: ProjectScope,
    kind: str,
    parameters: dict[str, Any],
    *,
    actor: Actor,
    total: int | None = None,
    at_once_seconds: float = 0,
) -> Job:
    """Queues a job. With `at_once_seconds` this very process works on it for so long first, and so finishes what is
    little before the page answers. Raises Forbidden for a role that may not."""
    known = _kinds[kind]
    scope.require(known.role)
    with transaction.atomic():
        job = Job.objects.create(
            project_id=scope.project_id,
            kind=kind,
            parameters=parameters,
            author_id=scope.user_id or None,
            author_name=actor.name[:255],
            author_ip=actor.ip,
            total=total,
        )
        record(actor, "job.start", job, after={"kind": kind, "parameters": parameters})
    if at_once_seconds:
        run_job(job, seconds=at_once_seconds)
        job.refresh_from_db()
    if job.is_unfinished:
        transaction.on_commit(call_worker)
    return job


def cancel_job(scope: ProjectScope, job_id: str, *, actor: Actor) -> Job:
    """Stops a job at its next step; what it did stays done. Raises NotFound, Forbidden, or Conflict if it has ended."""
    job = Job.objects.filter(project_id=scope.project_id, pk=job_id).first()
    if job is None:
        raise NotFound("There is no such job.")
    kind = kind_of(job)
    scope.require(kind.role if kind else Role.MEMBER)
    with transaction.atomic():
        if not Job.objects.filter(pk=job.pk, status__in=UNFINISHED).update(is_cancelling=True):
            raise Conflict(_("The job has already ended."))
        record(actor, "job.cancel", job)
    # Nobody works on it right now: it ends here, and does not wait for a worker to say so.
    job.runner = ""
    _finish(job, JobStatus.CANCELLED, "")
    job.refresh_from_db()
    return job


def call_worker() -> None:
    tell_worker("tracing.tasks.work_on_jobs", "the job")


def stop() -> None:
    """The process ends: jobs are left at their next step, for whoever comes."""
    _ending.set()


def work_on_jobs() -> None:
    """Works on all open jobs, a turn for each, in one thread of this process: the others are for what arrives."""
    _asked.set()
    while _asked.is_set() and _one_at_a_time.acquire(blocking=False):
        try:
            _asked.clear()
            while not _ending.is_set() and (job := _next_job()):
                run_job(job, seconds=TURN_SECONDS)
        finally:
            _one_at_a_time.release()


def run_job(job: Job, *, seconds: float = TURN_SECONDS) -> None:
    """One turn of a job, unless somebody else works on it. Never raises what the job's own work raised."""
    if not _claim(job):
        return
    _working.add(str(job.pk))
    try:
        _work(job, time.monotonic() + seconds)
    finally:
        _working.discard(str(job.pk))


def _work(job: Job, until: float) -> None:
    kind = kind_of(job)
    if kind is None:
        return _finish(job, JobStatus.FAILED, _("This version of Spanwise does not know this kind of job."))
    if job.attempts > _MOST_ATTEMPTS:
        return _finish(job, JobStatus.FAILED, _("Given up: it ended its worker several times in the same place."))
    try:
        # However short, a turn comes to its first save: else a job would never get anywhere.
        Step(job, until).heed_cancellation()
        kind.work(_scope_of(job, kind), job, Step(job, until))
    except _Lost:
        return None
    except _TurnOver:
        return _put_back(job, message=job.message)
    except _Cancelled:
        return _finish(job, JobStatus.CANCELLED, "")
    except Unavailable as error:
        return _put_back(job, message=error.message, rest=_REST)
    except SpanwiseError as error:
        return _finish(job, JobStatus.FAILED, error.message)
    except Exception:
        log.exception("Job %s (%s) failed", job.pk, job.kind)
        return _finish(job, JobStatus.FAILED, _("An unexpected error. The worker's log says which."))
    return _finish(job, JobStatus.DONE, "")


def _scope_of(job: Job, kind: Kind) -> ProjectScope:
    """That of whoever started it, as it is at this turn: what they may not do any more is not done in their name."""
    if job.author_id is None and not job.author_is_gone:
        return scope_for_task(job.project_id)
    try:
        scope = scope_for_job(job.project_id, job.author_id or "")
        scope.require(kind.role)
    except (Forbidden, NotFound) as error:
        raise Forbidden(_("Stopped: whoever started it may not do this in the project any more.")) from error
    return scope


def _finish(job: Job, status: JobStatus, message: str) -> None:
    """Ends a job that its runner still has; or that nobody has, where `job` says so."""
    kind = kind_of(job)
    with transaction.atomic():
        ended = Job.objects.filter(pk=job.pk, runner=job.runner, status__in=UNFINISHED).update(
            status=status, message=message, runner="", is_cancelling=False, finished_at=timezone.now(), resume_at=None
        )
        if ended and status != JobStatus.DONE and kind and kind.when_cut_short:
            job.refresh_from_db()
            kind.when_cut_short(job)


def _put_back(job: Job, *, message: str, rest: timedelta | None = None) -> None:
    now = timezone.now()
    Job.objects.filter(pk=job.pk, runner=job.runner).update(
        runner="", message=message, attempts=0, heartbeat_at=now, resume_at=now + rest if rest else None
    )


def _next_job() -> Job | None:
    """The open job that has waited longest since its last turn."""
    now = timezone.now()
    waiting = Job.objects.filter(Q(resume_at=None) | Q(resume_at__lte=now), status__in=UNFINISHED)
    for job in waiting.order_by(F("heartbeat_at").asc(nulls_first=True), "created_at"):
        if not _is_held(job):
            return job
    return None


def _claim(job: Job) -> bool:
    if _is_held(job):
        return False
    runner, now = runners.new_mark(), timezone.now()
    free = Job.objects.filter(pk=job.pk, runner=job.runner, status__in=UNFINISHED)
    claimed = free.update(
        runner=runner,
        status=JobStatus.RUNNING,
        heartbeat_at=now,
        started_at=Coalesce("started_at", now),
        attempts=F("attempts") + 1,
        resume_at=None,
    )
    if claimed:
        job.refresh_from_db()
    return bool(claimed)


def _is_held(job: Job) -> bool:
    """Whether somebody who is alive works on it."""
    if not job.runner:
        return False
    if runners.is_own(job.runner):
        return str(job.pk) in _working
    return not runners.is_gone(job.runner, job.heartbeat_at, _LEASE)
