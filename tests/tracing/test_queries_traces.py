from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from tests.tracing.api_data import at
from tracing.queries.traces import _MOST_STRETCHES, _stretches

HOUR = 3600


def bounds(*hours, length=60):
    return [(at(hour * HOUR), at(hour * HOUR + length)) for hour in hours]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (bounds(1), bounds(1)),
        (bounds(3, 1), bounds(1, 3)),
        ([(at(0), at(60)), (at(61), at(70))], [(at(0), at(70))]),
        ([(at(0), at(10 * HOUR)), *bounds(1, 11)], [(at(0), at(10 * HOUR)), *bounds(11)]),
    ],
)
def test_stretches(given, expected):
    assert _stretches(given) == expected


def test_stretches_are_few_and_cover_everything():
    given = bounds(*range(0, 500, 7), *range(1000, 1050))
    stretches = _stretches(given)
    assert len(stretches) == _MOST_STRETCHES
    assert all(any(first <= begin and end <= last for first, last in stretches) for begin, end in given)
    assert all(one[1] + timedelta(minutes=5) < other[0] for one, other in itertools.pairwise(stretches))
