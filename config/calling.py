"""Tells a worker that something waits for it."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app

log = logging.getLogger(__name__)


def tell_worker(task: str, waiting: str, **options: Any) -> None:
    """Never raises: what no worker was told of is kept, and found by the next sweep. `waiting` names it in the log."""
    try:
        current_app.send_task(task, retry=False, **options)
    except Exception as error:  # whatever the broker's client raises
        log.warning("The broker cannot be reached (%s); the sweep will find %s.", error, waiting)
