"""Releases and versions of prompts on the axis of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts.access import scope_for_task
from tests.factories import make_project
from tests.tracing.api_data import observation, trace
from tracing.analytics import store
from tracing.queries.dashboards import releases
from tracing.queries.dashboards.figure import Span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Span.between(NOW - 7 * DAY, NOW)


@pytest.fixture
def scope():
    return scope_for_task(make_project().id)


def write_traces(scope, *rows):
    store.insert(
        traces=[
            trace(scope.project_id, f"t{at}", 0, timestamp=NOW - ago, **values) for at, (ago, values) in enumerate(rows)
        ]
    )


def names(marks):
    return [mark.name for mark in marks]


def test_a_release_is_marked_where_it_was_first_seen(scope):
    write_traces(
        scope,
        (DAY, {"release": "v2"}), (2 * DAY, {"release": "v2"}), (DAY / 2, {"release": "v3"}), (DAY, {}),
    )  # fmt: skip
    marks = releases.list_releases(scope, WEEK)
    assert [(mark.name, mark.at) for mark in marks] == [("v2", NOW - 2 * DAY), ("v3", NOW - DAY / 2)]


def test_what_ran_before_the_span_did_not_begin_in_it(scope):
    write_traces(scope, (8 * DAY, {"release": "v1"}), (DAY, {"release": "v1"}), (20 * DAY, {"release": "v0"}))
    assert releases.list_releases(scope, WEEK) == []


def test_environments_are_looked_at_by_themselves(scope):
    write_traces(scope, (DAY, {"release": "a", "environment": "staging"}), (DAY, {"release": "b"}))
    assert names(releases.list_releases(scope, WEEK, ("staging",))) == ["a"]


def test_of_many_the_newest_are_marked(scope):
    write_traces(scope, *[(DAY * 3 - timedelta(hours=at), {"release": f"r{at:02d}"}) for at in range(25)])
    assert names(releases.list_releases(scope, WEEK)) == [f"r{at:02d}" for at in range(5, 25)]


def test_versions_of_prompts(scope):
    store.insert(
        observations=[
            observation(
                scope.project_id, "t", f"o{at}", 0, start_time=NOW - ago, prompt_name="answer", prompt_version=version
            )
            for at, (ago, version) in enumerate([(8 * DAY, 1), (DAY, 1), (DAY, 2)])
        ]
    )
    assert names(releases.list_prompt_versions(scope, WEEK)) == ["answer v2"]


def test_another_projects_releases_are_not_seen(scope):
    write_traces(scope, (DAY, {"release": "mine"}))
    other = scope_for_task(make_project("Other").id)
    assert releases.list_releases(other, WEEK) == []
    assert releases.list_prompt_versions(other, WEEK) == []
