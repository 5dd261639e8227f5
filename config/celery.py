"""The task queue. One worker process, with the schedule (beat) as a thread of it, serves a small installation."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down

from config import env

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
log = logging.getLogger(__name__)

app = Celery("spanwise")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "purge-deleted-projects": {"task": "tracing.tasks.purge_deleted_projects", "schedule": 3600.0},
    "work-on-playground-runs": {"task": "prompts.tasks.work_on_runs", "schedule": 5.0, "options": {"expires": 5}},
    "work-on-jobs": {"task": "tracing.tasks.work_on_jobs", "schedule": 5.0, "options": {"expires": 5}},
    "work-on-judgements": {"task": "evals.tasks.work_on_judgements", "schedule": 5.0, "options": {"expires": 5}},
    "prune-judgements": {"task": "evals.tasks.prune_judgements", "schedule": 3600.0},
    "run-due-schedules": {"task": "evals.tasks.run_due_schedules", "schedule": 60.0, "options": {"expires": 60}},
    "work-on-arrivals": {"task": "evals.tasks.work_on_arrivals", "schedule": 5.0, "options": {"expires": 5}},
    "work-on-experiments": {"task": "evals.tasks.work_on_items", "schedule": 5.0, "options": {"expires": 5}},
    "sweep-inbox": {"task": "tracing.tasks.sweep_inbox", "schedule": 5.0, "options": {"expires": 5}},
    "send-deliveries": {"task": "prompts.tasks.send_deliveries", "schedule": 5.0, "options": {"expires": 5}},
    "prune-deliveries": {"task": "prompts.tasks.prune_deliveries", "schedule": 3600.0},
}

_beat: EmbeddedService | None = None


@worker_ready.connect
def _start(**_: Any) -> None:
    """Deliver at once what an earlier life left behind, then keep the schedule."""
    global _beat
    from tracing.ingest import doorbell, drain

    try:
        doorbell.wait_for_ring_again()
        drain.sweep(older_than_seconds=0)
        # What was due while nothing ran is not left until the schedule comes to it.
        app.send_task("evals.tasks.run_due_schedules", retry=False)
    except Exception as error:  # the broker may still be starting; the schedule sweeps in five seconds
        log.warning("The first sweep failed: %s", error)
    if env.flag("SPANWISE_BEAT", default=True):
        # A thread, not celery's -B: that forks a process of a hundred megabytes to look at a clock.
        _beat = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
        _beat.start()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    from config import crew
    from tracing.actions import jobs
    from tracing.ingest import drain

    drain.stop()
    jobs.stop()
    crew.stop_all()


@worker_shutdown.connect
def _stop_beat(**_: Any) -> None:
    from config import crew

    crew.wait_for_all(seconds=8)
    if _beat is not None:
        _beat.stop()
