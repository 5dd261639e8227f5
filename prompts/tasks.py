"""Tasks are interfaces: load, call one action, stop."""

from __future__ import annotations

from celery import shared_task

from prompts.playground import work


@shared_task(ignore_result=True)
def work_on_runs() -> None:
    """Also a sweep: the schedule asks every few seconds, and so runs whose worker was killed say so."""
    work.work_on_runs()
