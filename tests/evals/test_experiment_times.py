"""When experiments and the runs of their items began and ended: read by indexes, however many items there are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from accounts.access import ProjectScope
from accounts.roles import Role
from evals.models import Experiment, ExperimentItem
from evals.queries.experiments import after, count_runs, with_start, with_times
from tests.evals.experiment_data import BEGAN
from tests.factories import make_project

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def scope(project):
    return ProjectScope(project.pk, Role.OWNER)


def make(scope, name, *times):
    """`times` are hours: created, started and ended of each item; the experiment itself was made at hour 5."""
    experiment = Experiment.objects.create(
        project_id=scope.project_id, experiment_id=name, name=name, created_at=BEGAN + 5 * HOUR
    )
    ExperimentItem.objects.bulk_create(
        ExperimentItem(
            experiment=experiment,
            item_id=f"i{number}",
            trace_id=f"{name}-{number}",
            run_item_id=f"{name}-{number}",
            created_at=at(created),
            started_at=at(started),
            ended_at=at(ended),
        )
        for number, (created, started, ended) in enumerate(times)
    )
    return experiment


def at(hour):
    return None if hour is None else BEGAN + hour * HOUR


def test_the_times_are_those_of_the_first_and_last_thing_that_is_known(scope):
    make(scope, "empty")
    make(scope, "told", (9, 7, 8), (9, 6, None), (9, 8, 12))
    make(scope, "untold", (10, None, None), (11, None, None))
    make(ProjectScope(make_project(name="other").pk, Role.OWNER), "theirs", (1, 1, 1))
    found = {one.name: (one.first_at, one.last_at) for one in with_times(scope)}
    assert found == {"empty": (at(5), at(5)), "told": (at(6), at(12)), "untold": (at(10), at(11))}


def test_items_are_counted_by_run(scope):
    empty, told = make(scope, "empty"), make(scope, "told", (1, 1, 1), (2, 2, 2))
    make(scope, "other", (1, 1, 1))
    assert count_runs([empty, told]) == {told.pk: 2}


def test_the_times_of_experiments_are_looked_up_at_the_ends_of_indexes(scope, planned_by_indexes):
    plan = with_times(scope).filter(last_at__gte=BEGAN, first_at__lt=at(100)).order_by("-last_at", "-pk").explain()
    assert "evals_experiment_item_began" in plan
    assert "evals_experiment_item_last" in plan


@pytest.mark.parametrize("of_one", [True, False])
def test_runs_of_items_are_found_by_the_time_they_began(of_one, scope, planned_by_indexes):
    rows = with_start(scope).filter(at__gte=BEGAN)
    if of_one:
        rows = rows.filter(experiment__experiment_id__in=["e"])
    plan = after(rows, "at", (at(1), 5)).order_by("-at", "-pk")[:51].explain()
    # PostgreSQL may take the other one that begins with the experiment: of a few rows that costs the same.
    other = "evals_experiment_item_last" if connection.vendor == "postgresql" else "evals_experiment_item_began"
    assert "evals_experiment_item_began" in plan or other in plan
