"""Tells a worker that there is something to judge."""

from __future__ import annotations

import logging

from celery import current_app

log = logging.getLogger(__name__)


def call_worker() -> None:
    """Never raises: what no worker was told of is found by the next sweep."""
    try:
        current_app.send_task("evals.tasks.work_on_judgements", retry=False)
    except Exception as error:  # whatever the broker's client raises, the rows are kept
        log.warning("The broker cannot be reached (%s); the sweep will find what is to be judged.", error)
