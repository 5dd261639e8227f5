"""Rows that somebody works on: taken by one, looked in on while it lasts, found where nobody is at it any more."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.utils import timezone

from config import claims as module
from config import crew as crew_module
from config import runners
from config.claims import LEASE, Claims, Watch
from config.crew import Crew, patiently
from config.errors import Unavailable
from prompts.models import Playground, PlaygroundRun, RunStatus
from tests.factories import make_project

pytestmark = pytest.mark.django_db
claims = Claims(PlaygroundRun, waiting=RunStatus.QUEUED, running=RunStatus.RUNNING)
BEFORE = timezone.now() - timedelta(hours=1)


@pytest.fixture
def row() -> PlaygroundRun:
    playground = Playground.objects.create(project=make_project(), title="t", document="{}", updated_at=BEFORE)
    return PlaygroundRun.objects.create(playground=playground, project=playground.project, window="a", sent="{}")


@pytest.fixture
def clock(monkeypatch):
    """Moved on by hand."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def again(row: PlaygroundRun) -> PlaygroundRun:
    return PlaygroundRun.objects.get(pk=row.pk)


def test_a_row_is_taken_by_one(row):
    other = again(row)
    PlaygroundRun.objects.filter(pk=row.pk).update(model="changed meanwhile")
    assert claims.take(row, started_at=BEFORE)
    assert (row.status, row.model, row.started_at) == (RunStatus.RUNNING, "changed meanwhile", BEFORE)
    assert runners.is_own(row.runner)
    assert not claims.take(other)
    assert claims.held(row).exists()
    assert not claims.held(other).exists()


def test_a_row_that_was_put_off_meanwhile_is_not_taken(row):
    PlaygroundRun.objects.filter(pk=row.pk).update(created_at=BEFORE)
    assert not claims.take(row, unchanged=("created_at",))
    assert claims.take(again(row), unchanged=("created_at",))


def test_a_row_that_is_deleted_is_not_taken(row):
    other = again(row)
    row.delete()
    assert not claims.take(other)


def test_a_row_elsewhere_is_lost_once_it_was_silent_for_long(row):
    claims.take(row)
    PlaygroundRun.objects.update(runner="elsewhere:1:a:b")
    assert not list(claims.lost(claims.at_work()))
    PlaygroundRun.objects.update(heartbeat_at=timezone.now() - LEASE)
    assert [one.pk for one in claims.lost(claims.at_work())] == [row.pk]


def test_work_looks_in_and_stops_when_somebody_wants_it_to(row, clock, django_assert_num_queries):
    claims.take(row)
    held = claims.held(row)
    watch = Watch(Crew("test", lambda: 1, lambda: False), held, held.filter(is_stopping=False))
    with django_assert_num_queries(1):  # however often it is asked
        assert not any(watch.is_stopped() for _time in range(100))
    PlaygroundRun.objects.update(heartbeat_at=BEFORE)
    clock[0] = 1.0
    assert not watch.is_stopped()
    assert again(row).heartbeat_at == BEFORE
    clock[0] = 5.0
    assert not watch.is_stopped()
    assert again(row).heartbeat_at > BEFORE
    PlaygroundRun.objects.update(is_stopping=True)
    assert not watch.is_stopped()
    clock[0] = 6.0
    assert watch.is_stopped()
    assert not watch.is_worker_ending


@pytest.mark.parametrize("change", [{"status": RunStatus.LOST}, {"runner": "somebody else"}])
def test_work_stops_on_a_row_that_is_not_its_own_any_more(row, clock, change):
    claims.take(row)
    watch = Watch(Crew("test", lambda: 1, lambda: False), claims.held(row))
    assert not watch.is_stopped()
    PlaygroundRun.objects.update(**change, heartbeat_at=BEFORE)
    clock[0] = 5.0
    assert watch.is_stopped()
    assert again(row).heartbeat_at == BEFORE


def test_work_goes_on_while_the_database_is_away_and_ends_with_its_process(row, clock, monkeypatch):
    claims.take(row)
    crew, held = Crew("test", lambda: 1, lambda: False), claims.held(row)
    closed = []
    monkeypatch.setattr(module.connection, "close", lambda: closed.append(1))

    def away():
        raise OperationalError("away")

    monkeypatch.setattr(held, "exists", away)
    watch = Watch(crew, held)
    assert not watch.is_stopped()
    assert closed == [1]
    crew.stop()
    assert watch.is_stopped()
    assert watch.is_worker_ending


def test_a_look_in_that_went_wrong_is_made_up_for_at_once(row, clock, monkeypatch):
    claims.take(row)
    PlaygroundRun.objects.update(heartbeat_at=BEFORE)
    held = claims.held(row)
    update = held.update

    def away(**_changes):
        raise OperationalError("away")

    monkeypatch.setattr(module.connection, "close", lambda: None)
    monkeypatch.setattr(held, "update", away)
    watch = Watch(Crew("test", lambda: 1, lambda: False), held)
    clock[0] = 5.0
    assert not watch.is_stopped()
    monkeypatch.setattr(held, "update", update)
    clock[0] = 5.5
    assert not watch.is_stopped()
    assert again(row).heartbeat_at > BEFORE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError("away"), Unavailable("away")])
def test_what_came_of_work_is_written_once_the_store_is_there_again(error, monkeypatch):
    said, pauses = [error, error], []
    monkeypatch.setattr(crew_module, "time", SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic))

    def write() -> None:
        if said:
            raise said.pop()

    patiently(write)
    assert (said, len(pauses)) == ([], 2)
    said.append(error)
    with pytest.raises(type(error)):
        patiently(write, seconds=0)
