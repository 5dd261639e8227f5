"""Tasks are interfaces: load, call one action, stop."""

from __future__ import annotations

from celery import shared_task

from tracing.ingest import drain

#: Younger entries are on their way already.
SWEEP_AFTER_SECONDS = 20


@shared_task(ignore_result=True, acks_late=False)
def drain_inbox() -> None:
    drain.drain()


@shared_task(ignore_result=True, acks_late=False)
def sweep_inbox() -> None:
    drain.sweep(older_than_seconds=SWEEP_AFTER_SECONDS)
