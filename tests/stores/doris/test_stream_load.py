"""What becomes of rows whatever goes wrong on their way into Doris: they are there once, or known not to be."""

from __future__ import annotations

import http.client
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.access import ProjectScope
from config.errors import Unavailable
from tests.stores.doris.server import DorisDouble
from tracing.analytics import store, tables
from tracing.analytics.backends.doris import nodes, stream_load
from tracing.analytics.backends.doris.errors import BadRows
from tracing.analytics.records import Observation, Score, Trace

AT = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)
NASTY = "'; DROP TABLE traces; -- \\ \" % _ \n\t\r 退货 🎉 \u2028 {}"


def observation(scope: ProjectScope, **values: Any) -> Observation:
    fixed = {"trace_id": "t", "id": "o", "start_time": AT, "row_version": 1}
    return Observation(project_id=scope.project_id, **{**fixed, **values})


def stored(scope: ProjectScope) -> list[Observation]:
    query = store.select(scope, tables.observations).order_by(tables.observations.c.id)
    return store.records(scope, Observation, query, tag="test", is_anew=True)


def counted(doris: DorisDouble, scope: ProjectScope) -> int:
    """Rows in the table itself, deleted ones too."""
    return int(doris.ask("SELECT count(*) FROM observations WHERE project_id = %s", scope.project_id)[0][0])


def labels(doris: DorisDouble) -> list[tuple[str, str]]:
    return [(label, state) for label, state in doris.ask("SELECT label, state FROM doris_double.labels ORDER BY id")]


def test_records_come_back_as_they_were(doris, scope):
    spans = [
        observation(
            scope,
            id="full",
            name=NASTY,
            end_time=AT,
            is_root=True,
            tags=[NASTY, "", "b"],
            input=NASTY * 1000,
            output='{"a": [1, "\\u0000"]}',
            metadata={NASTY: NASTY, "a.b": '{"c": "d: e, f"}', "": ""},
            usage={"input": 2**62, "output": 0},
            cost={"total": Decimal("0.000000150000")},
            total_cost=Decimal("999999.999999999999"),
            latency_us=2**62,
            prompt_version=7,
        ),
        observation(scope, id="plain", start_time=datetime(1969, 12, 31, tzinfo=UTC), input="\udc80 half a pair"),
    ]
    trace = Trace(project_id=scope.project_id, id="t", timestamp=AT, set_at={"name": 1}, tags=["x"], row_version=1)
    score = Score(project_id=scope.project_id, id="s", timestamp=AT, name="n", value=0.1, row_version=1)

    store.insert(observations=spans, traces=[trace], scores=[score])

    found = stored(scope)
    assert found[0] == spans[0]
    assert found[1].input == "? half a pair"
    assert found[1].start_time == spans[1].start_time
    assert store.records(scope, Trace, store.select(scope, tables.traces), tag="test") == [trace]
    assert store.records(scope, Score, store.select(scope, tables.scores), tag="test") == [score]


def test_the_newest_version_of_a_row_stays(doris, scope):
    for version in (5, 9, 7):
        store.insert(observations=[observation(scope, name=f"v{version}", row_version=version)])

    assert [one.name for one in stored(scope)] == ["v9"]


def test_keys_too_long_for_json_are_cut_off(doris, scope):
    store.insert(observations=[observation(scope, metadata={"é" * 200: "x"})])

    assert stored(scope)[0].metadata == {"é" * 127: "x"}


def test_deleted_rows_are_gone_and_stay_so(doris, scope, monkeypatch):
    monkeypatch.setattr("tracing.analytics.backends.doris._DELETED_AT_ONCE", 3)
    rows = [observation(scope, id=f"o{n}") for n in range(7)]
    store.insert(observations=rows, scores=[Score(project_id=scope.project_id, id="s", timestamp=AT, name="n")])

    store.delete(scope, tables.observations, tables.observations.c.trace_id == "t", tag="test")
    store.delete(scope, tables.scores, tables.scores.c.id == "s", tag="test")
    store.insert(observations=rows[:2])

    assert stored(scope) == []
    assert store.rows(scope, store.select(scope, tables.scores), tag="test", is_anew=True) == []
    assert counted(doris, scope) == 7


def test_the_same_rows_are_loaded_once(doris, scope):
    rows = [observation(scope)]
    store.insert(observations=rows)
    before = labels(doris)
    store.insert(observations=rows)

    assert labels(doris) == before
    assert counted(doris, scope) == 1


@pytest.mark.parametrize("kind", ["drop after commit", "publish timeout"])
def test_rows_that_are_committed_are_not_sent_again(doris, scope, kind):
    before = len(labels(doris))
    doris.go_wrong({"part": "be", "kind": kind})

    store.insert(observations=[observation(scope)])

    assert counted(doris, scope) == 1
    assert len(labels(doris)) == before + 1
    assert labels(doris)[-1][1] == "VISIBLE"


def test_a_load_that_goes_on_without_us_is_waited_for(doris, scope):
    doris.go_wrong({"part": "be", "kind": "drop, then commit", "seconds": 0.5})

    store.insert(observations=[observation(scope)])

    assert counted(doris, scope) == 1


def test_a_load_that_breaks_off_in_the_middle_can_be_repeated(doris, scope):
    rows = [observation(scope, id=f"o{n}", input="x" * 100_000) for n in range(50)]
    doris.go_wrong({"part": "be", "kind": "drop in the middle"})

    with pytest.raises(Unavailable) as caught:
        store.insert(observations=rows)
    assert store.is_own_trouble(caught.value)
    assert counted(doris, scope) == 0
    assert store.takes_rows()

    store.insert(observations=rows)
    assert counted(doris, scope) == 50


def test_a_label_that_is_at_work_is_waited_for(doris, scope):
    rows = [observation(scope)]
    doris.go_wrong({"part": "be", "kind": "slow", "seconds": 0.6})
    first = threading.Thread(target=store.insert, kwargs={"observations": rows})
    first.start()
    while not labels(doris) or labels(doris)[-1][1] != "PREPARE":
        pass
    store.insert(observations=rows)

    assert counted(doris, scope) == 1
    first.join()


@pytest.mark.parametrize(
    "fault",
    [
        {"part": "be", "kind": "fail", "message": "[E-235]TOO_MANY_VERSION tablet 10010"},
        {"part": "be", "kind": "fail", "message": "current running txns on db 1 is 1000, larger than limit 1000"},
        {"part": "be", "kind": "fail", "message": "[MEM_LIMIT_EXCEEDED] process memory not enough"},
        {"part": "fe", "kind": "failed", "message": "No backend alive."},
        {"part": "fe", "kind": "swallowed"},
        {"part": "fe", "kind": "elsewhere"},
    ],
)
def test_trouble_of_the_store_is_not_blamed_on_rows(doris, scope, fault):
    doris.go_wrong(fault)

    with pytest.raises(Unavailable):
        store.insert(observations=[observation(scope)])

    store.insert(observations=[observation(scope)])
    assert counted(doris, scope) == 1


@pytest.mark.parametrize("wrong", [{"latency_us": "x"}, {"start_time": "never"}, {"prompt_version": 2**40}])
def test_rows_that_are_wrong_are_told_with_the_reason(doris, scope, wrong):
    with pytest.raises(BadRows, match="too many filtered rows Reason: ") as caught:
        store.insert(observations=[observation(scope), observation(scope, id="wrong", **wrong)])

    assert not store.is_own_trouble(caught.value)
    assert store.takes_rows()
    assert counted(doris, scope) == 0


@pytest.mark.parametrize(
    "trouble",
    [{"DORIS_PASSWORD": "wrong"}, {"DORIS_FE_HTTP_URL": "http://127.0.0.1:1"}, {"DORIS_DB": "not_there_yet"}],
)
def test_store_that_cannot_write_has_trouble_of_its_own(doris, scope, settings, trouble):
    for name, value in trouble.items():
        setattr(settings, name, value)

    with pytest.raises(Unavailable):
        store.insert(observations=[observation(scope)])

    assert not store.takes_rows()


def test_a_backend_can_be_named_where_the_fe_s_address_leads_nowhere(doris, scope, settings):
    settings.DORIS_BE_HTTP_URL = f"http://127.0.0.1:{doris.be_port}/"
    doris.go_wrong({"part": "fe", "kind": "elsewhere"})

    store.insert(observations=[observation(scope)])

    assert counted(doris, scope) == 1


def test_the_password_goes_nowhere_else(doris, scope):
    doris.go_wrong({"part": "fe", "kind": "elsewhere"})

    with pytest.raises(Unavailable, match=r"somewhere\.example.*DORIS_BE_HOSTS"):
        store.insert(observations=[observation(scope)])


def test_without_the_header_the_fe_refuses(doris, scope, monkeypatch):
    """The double holds to it, or it would show nothing."""
    signed = {name: value for name, value in stream_load._headers("x").items() if name != "Expect"}
    connection = http.client.HTTPConnection("127.0.0.1", doris.fe_port)
    connection.request("PUT", f"/api/{doris.database}/traces/_stream_load", b"", signed)
    assert b"100-continue" in connection.getresponse().read()
    connection.close()


def test_state_of_a_load_that_never_was_is_nothing(doris):
    assert nodes.state_of_load("never") == ""
