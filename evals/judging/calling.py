"""Tells a worker that there is something to judge."""

from __future__ import annotations

from config.calling import tell_worker


def call_worker() -> None:
    tell_worker("evals.tasks.work_on_judgements", "what is to be judged")
