"""Tasks are interfaces: load, call one action, stop."""

from __future__ import annotations

from celery import shared_task

from config.errors import Unavailable
from evals import arrivals
from evals.actions import rules
from evals.experiments import running
from evals.judging import matching, pruning, work


@shared_task(ignore_result=True, autoretry_for=(Unavailable,), retry_backoff=True, max_retries=3)
def work_on_arrivals() -> None:
    """Also a sweep: the schedule asks every few seconds, and so what a killed worker had begun is looked at again."""
    arrivals.work()


@shared_task(ignore_result=True)
def work_on_items() -> None:
    """Also a sweep: the schedule asks every few seconds, and so items whose worker was killed are run again."""
    running.work_on_items()


@shared_task(ignore_result=True)
def work_on_judgements() -> None:
    """Also a sweep: the schedule asks every few seconds, and so judgements whose worker was killed go on."""
    matching.settle_candidates()
    work.work_on_judgements()


@shared_task(ignore_result=True)
def prune_judgements() -> None:
    pruning.prune()


@shared_task(ignore_result=True)
def run_scheduled_rule(rule_id: str, window: str = "", counts_from: str = "") -> None:
    """Called by the rule's own periodic task, which keeps `window` and `counts_from` for the rule to read."""
    rules.run_schedule(rule_id)


@shared_task(ignore_result=True)
def run_due_schedules() -> None:
    """Finds what was due while no scheduler ran; one that runs leaves out what is hours away from now."""
    rules.run_due_schedules()
