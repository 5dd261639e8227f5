"""Tasks are interfaces: load, call one action, stop."""

from __future__ import annotations

from celery import shared_task

from accounts.access import scope_for_task
from config.errors import Unavailable
from tracing import actions
from tracing.actions import jobs
from tracing.analytics import versions
from tracing.ingest import drain

#: Younger entries are on their way already.
SWEEP_AFTER_SECONDS = 5


@shared_task(ignore_result=True, acks_late=False)
def drain_inbox() -> None:
    drain.drain()


@shared_task(ignore_result=True, acks_late=False)
def sweep_inbox() -> None:
    drain.sweep(older_than_seconds=SWEEP_AFTER_SECONDS)
    versions.changed()


@shared_task(ignore_result=True)
def purge_deleted_projects() -> None:
    for project_id in actions.deleted_projects():
        delete_project_data.delay(project_id)


@shared_task(ignore_result=True, autoretry_for=(Unavailable,), retry_backoff=True, max_retries=20)
def delete_project_data(project_id: str) -> None:
    actions.delete_project_data(scope_for_task(project_id))


@shared_task(ignore_result=True)
def work_on_jobs() -> None:
    """Also a sweep: the schedule asks every few seconds, and so jobs of a worker that was killed go on."""
    jobs.work_on_jobs()
