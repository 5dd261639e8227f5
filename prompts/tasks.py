"""Tasks are interfaces: load, call one action, stop."""

from __future__ import annotations

from celery import shared_task

from prompts.actions import sending
from prompts.playground import work


@shared_task(ignore_result=True)
def send_deliveries() -> None:
    """Also a sweep: the schedule asks every few seconds, and so deliveries of a worker that was killed go on."""
    sending.open_lines()


@shared_task(ignore_result=True)
def prune_deliveries() -> None:
    sending.prune()


@shared_task(ignore_result=True)
def work_on_runs() -> None:
    """Also a sweep: the schedule asks every few seconds, and so runs whose worker was killed say so."""
    work.work_on_runs()
