"""Queries over several traces find all of their observations, wherever these lie, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.tracing.api_data import at
from tests.tracing.test_analytics_store import new_scope
from tracing.analytics import store
from tracing.analytics.records import Observation, Trace
from tracing.queries.sums import sum_by_trace
from tracing.queries.traces import Parts, fill, trace_sums

pytestmark = pytest.mark.usefixtures("analytics_server")

FAR = [datetime(1902, 3, 4, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(2250, 1, 1, tzinfo=UTC)]


def stored_traces(scope, starts, length):
    """A trace for each start: three observations, the root of which is the second to start."""
    found, inside = [], []
    for number, start in enumerate(starts):
        times = [start, start + length / 2, start + length]
        inside += [
            Observation(
                project_id=scope.project_id,
                trace_id=f"t{number}",
                id=f"o{number}-{place}",
                start_time=time,
                end_time=time + timedelta(seconds=1),
                is_root=place == 1,
                input=f"input {number}" if place == 1 else "not the root's",
                total_cost=Decimal(place),
            )
            for place, time in enumerate(times)
        ]
        found.append(
            Trace(
                project_id=scope.project_id,
                id=f"t{number}",
                timestamp=start,
                root_id=f"o{number}-1",
                first_start=times[0],
                last_start=times[2],
            )
        )
    store.insert(observations=inside, traces=found)
    return found


@pytest.mark.parametrize(
    ("starts", "length"),
    [
        pytest.param([at(second) for second in range(40)], timedelta(seconds=1), id="close together"),
        pytest.param([at(86_400 * day + 59.9) for day in range(40)], timedelta(seconds=1), id="days apart"),
        pytest.param([at(86_400 * day) for day in range(40)], timedelta(hours=5), id="long"),
        pytest.param([at(86_400 * day) for day in range(9)], timedelta(days=90), id="very long"),
        pytest.param([at(0)], timedelta(0), id="one"),
        pytest.param([at(0), *FAR], timedelta(seconds=1), id="far away"),
    ],
)
def test_sums_and_roots_of_traces_wherever_they_lie(starts, length):
    scope = new_scope()
    found = stored_traces(scope, starts, length)
    stored_traces(new_scope(), starts, length)

    sums = trace_sums(scope, found, with_ids=True)
    rows = fill(scope, found, Parts())

    assert {one.id: (3, Decimal(3)) for one in found} == {id_: (one.count, one.total_cost) for id_, one in sums.items()}
    assert all(
        sorted(sums[f"t{n}"].observation_ids) == [f"o{n}-{place}" for place in range(3)] for n in range(len(found))
    )
    assert [row.input for row in rows] == [f"input {number}" for number in range(len(found))]
    assert {id_: one.observations for id_, one in sum_by_trace(scope, found).items()} == {one.id: 3 for one in found}


def test_a_trace_without_observations_adds_nothing():
    scope = new_scope()
    alone = Trace(project_id=scope.project_id, id="alone", timestamp=at(0), input="own")

    [row] = fill(scope, [alone], Parts())

    assert (row.input, row.sums.count) == ("own", 0)
    assert sum_by_trace(scope, [alone]) == {}
