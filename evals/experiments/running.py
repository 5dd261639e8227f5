"""Items of experiments that this server runs, worked on by threads of the worker's own.

The row is the truth, as with runs of playgrounds: whoever takes an item leaves a mark and looks in every few seconds;
one whose process ended waits again. Trace and spans of a run have ids made of what it is, so that a run which is begun
anew replaces the broken one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, scope_for_job
from config.claims import Claims, Watch
from config.crew import DATABASE_AWAY, Crew, patiently
from config.errors import Forbidden, SpanwiseError, Unavailable
from config.outgoing import Limits
from evals.experiments import spans
from evals.experiments.plan import Plan, state_for, window_for
from evals.experiments.spans import Ran
from evals.models import DatasetItemVersion, Experiment, ExperimentItem, RunStatus
from prompts.llm import Answer, Cancelled, ProviderError, stream
from prompts.llm.hiding import hiding
from prompts.models import LlmConnection
from prompts.playground import calls
from prompts.queries.prompts import get_version

log = logging.getLogger(__name__)

#: seconds after an attempt that failed in passing until the next one; after the last there is none
PLAN = (5, 30, 120)
#: however much later a provider asks to be asked again
_LONGEST_PAUSE = 3600.0
#: between two tries to hand in what came of an item
_PAUSE_SECONDS = 1.0
#: begun this often by processes that ended, an item is taken to be what ends them
_MOST_ATTEMPTS = 6
_LIMITS = Limits(connect_seconds=10, silence_seconds=180, total_seconds=900, most_bytes=16 * 1024 * 1024)
_LONGEST_BODY = 16 * 1024
UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)
claims = Claims(ExperimentItem, waiting=RunStatus.QUEUED, running=RunStatus.RUNNING)


# --- Who works -------------------------------------------------------------------------------------------
def work_on_items() -> None:
    """Gives waiting items to threads of this process, as many as it may have, and returns at once."""
    sweep()
    crew.call(_due().count())


def work_on_next() -> bool:
    """Runs the item that has waited longest, in this thread, to its end. False where none waits."""
    for item in _due().order_by("due_at", "pk")[:20]:
        if _take(item):
            _work(item)
            return True
    return False


crew = Crew("experiments", lambda: settings.EXPERIMENT_RUNS_PER_WORKER, work_on_next)


def _due() -> QuerySet[ExperimentItem]:
    is_wanted = Q(experiment__status__in=UNFINISHED, experiment__project__deleted_at=None)
    return ExperimentItem.objects.filter(is_wanted, status=RunStatus.QUEUED, due_at__lte=timezone.now())


def _take(item: ExperimentItem) -> bool:
    if not claims.take(item, attempts=F("attempts") + 1):
        return False
    waiting = Experiment.objects.filter(pk=item.experiment_id, status=RunStatus.QUEUED)
    waiting.update(status=RunStatus.RUNNING, updated_at=timezone.now())
    return True


# --- One item --------------------------------------------------------------------------------------------
class _LaterAgain(Exception):
    """The attempt failed in passing: the next one follows after so many seconds."""

    def __init__(self, problem: dict[str, Any], seconds: float) -> None:
        super().__init__(problem["message"])
        self.problem, self.seconds = problem, seconds


def _work(item: ExperimentItem) -> None:
    held = claims.held(item)
    watch = Watch(crew, held, held.filter(experiment__status__in=UNFINISHED))
    try:
        problem = _run(item, watch)
    except Cancelled:
        return patiently(lambda: _put_back(item, seconds=0))
    except _LaterAgain as later:
        said, seconds = later.problem, later.seconds
        return patiently(lambda: _put_back(item, seconds=seconds, problem=said))
    except Unavailable as error:
        said = _problem(error.message)
        return patiently(lambda: _put_back(item, seconds=PLAN[0], problem=said))
    except DATABASE_AWAY as error:  # nothing was asked yet: what came of it is tried until it is kept
        log.warning("Item %s of an experiment waits for the database: %s", item.pk, error)
        connection.close()
        return patiently(lambda: _put_back(item, seconds=PLAN[0]))
    except SpanwiseError as error:
        problem = _problem(error.message)
    except Exception as error:
        log.exception("Item %s of an experiment failed", item.pk)
        problem = _problem(_("An unexpected error (%(name)s).") % {"name": type(error).__name__})
    return patiently(lambda: _finish(item, problem))


def _run(item: ExperimentItem, watch: Watch) -> dict[str, Any] | None:
    """What went wrong for good, None where nothing did. The trace is handed in either way."""
    if item.attempts > _MOST_ATTEMPTS:
        return _problem(_("Given up: its worker ended several times while it ran."))
    experiment = item.experiment
    plan = Plan.of(experiment.plan)
    scope = _scope_of(experiment)
    version = _version_of(item)
    ran = Ran(began_at=timezone.now(), ended_at=timezone.now())
    problem = _ask(scope, item, version, plan, ran, watch)
    ran.ended_at = timezone.now()
    ran.problem = problem["message"] if problem else ""
    _until_kept(lambda: spans.hand_in(scope, item, version, plan, ran), watch)
    return problem


def _until_kept(hand_in: Callable[[], None], watch: Watch) -> None:
    """Tries it for as long as the item is wanted: the answer is paid for, and would have to be asked for again. Raises
    Cancelled where somebody stops it."""
    while True:
        try:
            return hand_in()
        except (*DATABASE_AWAY, Unavailable) as error:
            log.warning("What came of an item cannot be handed in: %s. Trying again.", error)
            if not isinstance(error, Unavailable):
                connection.close()
        if watch.is_stopped():
            raise Cancelled(_("It was stopped before its answer could be kept."))
        time.sleep(_PAUSE_SECONDS)


def _ask(
    scope: ProjectScope, item: ExperimentItem, version: DatasetItemVersion, plan: Plan, ran: Ran, watch: Watch
) -> dict[str, Any] | None:
    """Fills `ran`. Raises Cancelled when somebody stops it, _LaterAgain for what may pass."""
    window = window_for(scope, plan, get_version(scope, plan.prompt, number=plan.version))
    prepared = calls.prepare(scope, state_for(window, plan, version.input), window)
    if prepared.call is None or prepared.connection is None:
        return _problem(" ".join(dict.fromkeys(words for _path, words in prepared.issues)))
    ran.call = calls.to_json(prepared.call)
    ran.answer = Answer()
    try:
        for event in stream(scope, prepared.connection, prepared.call, is_cancelled=watch.is_stopped, limits=_LIMITS):
            ran.first_at = ran.first_at or timezone.now()
            ran.answer.add(event)
    except ProviderError as error:
        problem = _problem_of(error, prepared.connection)
        if error.may_pass and item.attempts <= len(PLAN):
            asked = min(error.retry_after_seconds or 0.0, _LONGEST_PAUSE)
            raise _LaterAgain(problem, max(PLAN[item.attempts - 1], asked)) from error
        return problem
    return None


def _scope_of(experiment: Experiment) -> ProjectScope:
    """That of whoever started it, as it is now: what they may not do any more is not done in their name."""
    if experiment.author_id is None:
        raise Forbidden(_("Whoever started this is gone."))
    return scope_for_job(experiment.project_id, experiment.author_id)


def _version_of(item: ExperimentItem) -> DatasetItemVersion:
    """What the item said when the experiment was started."""
    assert item.experiment.dataset is not None
    assert item.item_version is not None
    found = DatasetItemVersion.objects.filter(
        dataset=item.experiment.dataset, item__item_id=item.item_id, valid_from=item.item_version
    ).first()
    if found is None:
        raise Forbidden(_("The item is not in the dataset any more."))
    return found


def _problem(message: str) -> dict[str, Any]:
    return {"message": message, "status": None, "body": ""}


def _problem_of(error: ProviderError, connection_: LlmConnection) -> dict[str, Any]:
    hide = hiding(connection_)
    return {
        "message": hide(error.message),
        "status": error.provider_status,
        "body": hide(error.body)[:_LONGEST_BODY],
    }


# --- What became of it -----------------------------------------------------------------------------------
def _finish(item: ExperimentItem, problem: dict[str, Any] | None) -> None:
    status = RunStatus.FAILED if problem else RunStatus.DONE
    said = orjson.dumps(problem).decode() if problem else ""
    claims.held(item).update(status=status, problem=said, runner="", updated_at=timezone.now())
    settle(item.experiment_id)


def _put_back(item: ExperimentItem, *, seconds: float, problem: dict[str, Any] | None = None) -> None:
    """It waits again; where the whole experiment was stopped meanwhile, so is the item."""
    with transaction.atomic():
        is_wanted = _lock_open(item.experiment_id)
        claims.held(item).update(
            status=RunStatus.QUEUED if is_wanted else RunStatus.STOPPED,
            due_at=timezone.now() + timedelta(seconds=seconds),
            problem=orjson.dumps(problem).decode() if problem else "",
            runner="",
            updated_at=timezone.now(),
        )


def settle(experiment_id: int) -> None:
    """Ends an experiment of which nothing is left to run."""
    left = ExperimentItem.objects.filter(experiment_id=experiment_id, status__in=UNFINISHED)
    if left.exists():
        return
    with transaction.atomic():
        # Somebody may have queued the rest again until it was locked.
        if _lock_open(experiment_id) and not left.exists():
            ended = Experiment.objects.filter(pk=experiment_id)
            ended.update(status=RunStatus.DONE, updated_at=timezone.now())


def _lock_open(experiment_id: int) -> bool:
    """Whether the experiment goes on; whoever stops it or takes it up again waits until this transaction ends."""
    open_ = Experiment.objects.select_for_update().filter(pk=experiment_id, status__in=UNFINISHED)
    return open_.values_list("pk").first() is not None


# --- What nobody works on any more -----------------------------------------------------------------------
def sweep() -> None:
    """Items whose process ended wait again, and experiments of which nothing is left have ended."""
    for item in claims.lost(claims.at_work().filter(due_at__isnull=False)):
        _put_back(item, seconds=0)
    for experiment_id in Experiment.objects.filter(status__in=UNFINISHED).values_list("pk", flat=True):
        settle(experiment_id)
