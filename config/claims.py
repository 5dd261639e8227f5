"""Rows that threads of any process take to work on. Nothing but a mark in the row says who is at it, so nothing is lost
with a process: the row looks in while it is worked on, and the sweep finds it where nobody does any more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from django.db import connection, models
from django.utils import timezone

from config import runners
from config.crew import DATABASE_AWAY, Crew

#: a process elsewhere that was silent for so long is taken to have ended
LEASE = timedelta(seconds=30)
_HEARTBEAT_SECONDS = 5.0
#: how often somebody at work looks whether it shall go on
_LOOK_SECONDS = 0.4


class Claimed(models.Model):
    """What such a row needs, beside a `status`."""

    #: who works on it (config/runners.py); empty for nobody
    runner = models.CharField(max_length=300, blank=True, default="")
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


Row = TypeVar("Row", bound=Claimed)


class Claims(Generic[Row]):
    """The rows of one model. `waiting` and `running` are the statuses of those that wait and of those at work."""

    def __init__(self, model: type[Row], *, waiting: str, running: str) -> None:
        self._missing = model.DoesNotExist
        self._rows, self._waiting, self._running = model._default_manager, waiting, running

    def take(self, row: Row, *, unchanged: Sequence[str] = (), **changes: Any) -> bool:
        """Takes a row that waits, changes it and reads it anew. False where somebody else was faster, or a field of
        `unchanged` is not as it was read."""
        # No condition over other tables: Postgres does not ask it again after it waited for another's claim.
        free = self._rows.filter(pk=row.pk, status=self._waiting, **{name: getattr(row, name) for name in unchanged})
        held = {"status": self._running, "runner": runners.new_mark(), "heartbeat_at": timezone.now()}
        if not free.update(**held, **changes):
            return False
        try:
            row.refresh_from_db()
        except self._missing:  # deleted this moment
            return False
        return True

    def held(self, row: Row) -> models.QuerySet[Row]:
        """The row, as long as it is held by the mark with which it was read."""
        return self._rows.filter(pk=row.pk, runner=row.runner, status=self._running)

    def at_work(self) -> models.QuerySet[Row]:
        return self._rows.filter(status=self._running)

    @staticmethod
    def lost(rows: Iterable[Row]) -> Iterator[Row]:
        """Those of these rows at work whose process has ended. They are still held: by `held` one changes them."""
        return (row for row in rows if runners.is_gone(row.runner, row.heartbeat_at, LEASE))


class Watch:
    """Whether work on a row shall go on; asked however often, it looks now and then, and tells others meanwhile that
    somebody is at it. `wanted` has the row as long as nobody wants it to stop."""

    def __init__(self, crew: Crew, held: models.QuerySet[Any], wanted: models.QuerySet[Any] | None = None) -> None:
        self._crew, self._held, self._wanted = crew, held, held if wanted is None else wanted
        self._look_at, self._beat_at = 0.0, time.monotonic() + _HEARTBEAT_SECONDS
        self._is_stopped = False
        self.is_worker_ending = False

    def is_stopped(self) -> bool:
        if self._crew.is_ending:
            self.is_worker_ending = True
            return True
        now = time.monotonic()
        if not self._is_stopped and now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            try:
                self._is_stopped = not self._may_go_on(now)
            except DATABASE_AWAY:  # nobody can stop it just now; the work goes on
                connection.close()
        return self._is_stopped

    def _may_go_on(self, now: float) -> bool:
        if now >= self._beat_at:
            self._held.update(heartbeat_at=timezone.now())
            self._beat_at = now + _HEARTBEAT_SECONDS
        return self._wanted.exists()
