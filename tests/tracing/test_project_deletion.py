"""A deleted project's telemetry goes with it, and nobody else's does."""

from datetime import UTC, datetime

import pytest

from accounts.access import scope_for_task
from tests.factories import make_project
from tracing import actions
from tracing.analytics import store, tables
from tracing.analytics.records import Observation, Score, Trace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def fill(project_id):
    store.insert(
        observations=[Observation(project_id=project_id, trace_id="t", id="o", start_time=NOW, row_version=1)],
        traces=[Trace(project_id=project_id, id="t", timestamp=NOW, row_version=1)],
        scores=[Score(project_id=project_id, id="s", timestamp=NOW, name="n", trace_id="t", row_version=1)],
    )


def counts(scope):
    all_tables = (tables.observations, tables.traces, tables.scores)
    return [len(store.rows(scope, store.select(scope, table, table.c.project_id), tag="test")) for table in all_tables]


def test_everything_of_the_project_goes_and_nothing_else():
    mine, other = (scope_for_task(make_project().id) for _ in range(2))
    fill(mine.project_id)
    fill(other.project_id)
    actions.delete_project_data(mine)
    actions.delete_project_data(mine)
    assert counts(mine) == [0, 0, 0]
    assert counts(other) == [1, 1, 1]
