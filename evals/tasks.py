"""Tasks are interfaces: load, call one action, stop."""

from __future__ import annotations

from celery import shared_task

from config.errors import Unavailable
from evals import arrivals
from evals.experiments import running


@shared_task(ignore_result=True, autoretry_for=(Unavailable,), retry_backoff=True, max_retries=3)
def work_on_arrivals() -> None:
    """Also a sweep: the schedule asks every few seconds, and so what a killed worker had begun is looked at again."""
    arrivals.work()


@shared_task(ignore_result=True)
def work_on_items() -> None:
    """Also a sweep: the schedule asks every few seconds, and so items whose worker was killed are run again."""
    running.work_on_items()
