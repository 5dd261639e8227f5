import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tracing.analytics.records import EPOCH, NEVER, Trace
from tracing.ingest.merge import merge_traces
from tracing.ingest.model import TraceUpdate

NOW = datetime(2026, 5, 1, tzinfo=UTC)
T0 = datetime(2026, 4, 30, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def update(
    seconds: float, *, start: float | None = None, timestamp: float | None = None, tags=(), metadata=None, **fields
):
    return TraceUpdate(
        project_id="p",
        trace_id="t",
        at=at(seconds),
        timestamp=at(seconds if timestamp is None else timestamp),
        start=None if start is None else at(start),
        fields=fields,
        tags=list(tags),
        metadata=metadata or {},
    )


def root(seconds: float, id_: str, *, event: float | None = None, **fields):
    fields = {
        "root_id": id_,
        "root_type": "SPAN",
        "input_preview": f"in {id_}",
        "output_preview": f"out {id_}",
    } | fields
    return update(seconds if event is None else event, start=seconds, timestamp=seconds, **fields)


def live(*updates: TraceUpdate, stored: Trace | None = None) -> Trace:
    rows = merge_traces({"t": stored} if stored else {}, updates, NOW)
    return rows[-1] if rows else stored


def comparable(trace: Trace) -> Trace:
    return replace(trace, created_at=EPOCH, updated_at=EPOCH, row_version=0)


def test_first_update_makes_the_trace():
    trace = live(update(5, start=5, name="chat", user_id="u", tags=["b", "a"], metadata={"k": "v"}))
    assert (trace.name, trace.user_id, trace.tags, trace.metadata) == ("chat", "u", ["a", "b"], {"k": "v"})
    assert trace.timestamp == trace.first_start == trace.last_start == at(5)
    assert trace.created_at == trace.updated_at == NOW


@pytest.mark.parametrize("order", [1, -1])
def test_later_event_wins_each_field(order):
    early, late = update(1, name="early", user_id="u"), update(2, name="late", session_id="s")
    trace = live(*[early, late][::order])
    assert (trace.name, trace.user_id, trace.session_id) == ("late", "u", "s")


def test_value_confirmed_later_is_not_overwritten_from_between():
    trace = live(update(1, name="a"), update(3, name="a"))
    assert live(update(2, name="b"), stored=trace).name == "a"


@pytest.mark.parametrize("order", [1, -1])
def test_greater_value_decides_at_the_same_time(order):
    assert live(*[update(1, name="a"), update(1, name="b")][::order]).name == "b"


def test_null_empties_a_field():
    assert live(update(1, name="a"), update(2, name="")).name == ""


def test_public_is_a_value_whenever_it_is_sent():
    assert live(update(1, public=True), update(2)).public is True
    assert live(update(1, public=True), update(2, public=False)).public is False


def test_metadata_merges_by_key():
    trace = live(update(2, metadata={"a": "2", "b": "2"}), update(1, metadata={"a": "1", "c": ""}))
    assert trace.metadata == {"a": "2", "b": "2", "c": ""}


def test_environment_of_the_earliest_event_stays():
    assert live(update(2, environment="late"), update(1, environment="early")).environment == "early"
    assert live(update(1, environment="default"), update(1, environment="named")).environment == "named"


def test_starts_widen_the_bounds():
    trace = live(update(5, start=5), update(9, start=9), update(1), update(3, start=3))
    assert (trace.timestamp, trace.first_start, trace.last_start) == (at(1), at(3), at(9))


def test_trace_without_observations_has_no_bounds():
    trace = live(update(1))
    assert trace.first_start == trace.last_start == NEVER


def test_earliest_root_is_shown():
    trace = live(root(5, "b"), root(1, "a"), root(7, "c"))
    assert (trace.root_id, trace.input_preview, trace.output_preview) == ("a", "in a", "out a")


def test_root_sent_again_shows_its_later_content():
    first, again = root(1, "a", event=1), root(1, "a", event=4, output_preview="")
    assert live(first, again).output_preview == ""
    assert live(again, first).output_preview == ""


def test_input_of_the_trace_itself_beats_the_roots():
    explicit = update(2, input="asked   for\nthis")
    for order in (1, -1):
        trace = live(*[root(1, "a"), explicit][::order])
        assert (trace.input, trace.input_preview, trace.output_preview) == (
            "asked   for\nthis",
            "asked for this",
            "out a",
        )


def test_moved_trace_leaves_a_tombstone():
    stored = live(update(5, name="a"))
    tombstone, trace = merge_traces({"t": stored}, [update(1, user_id="u")], NOW)
    assert tombstone.is_deleted
    assert tombstone.timestamp == at(5)
    assert (trace.is_deleted, trace.timestamp, trace.name, trace.user_id) == (False, at(1), "a", "u")
    assert min(tombstone.row_version, trace.row_version) > stored.row_version


def test_nothing_new_writes_nothing():
    updates = [root(1, "a"), update(2, start=2, name="x", tags=["t"], metadata={"k": "v"}, environment="prod")]
    stored = live(*updates)
    assert merge_traces({"t": stored}, updates[::-1], NOW) == []


def test_stored_record_is_left_alone():
    stored = live(update(1, name="a", tags=["x"], metadata={"k": "v"}))
    before = replace(stored, set_at=dict(stored.set_at), metadata=dict(stored.metadata), tags=list(stored.tags))
    live(update(2, name="b", tags=["y"], metadata={"k": "w"}), stored=stored)
    assert stored == before


def _random_update(rng: random.Random) -> TraceUpdate:
    fields = {}
    for name in ("name", "user_id", "session_id", "input", "output"):
        if rng.random() < 0.4:
            fields[name] = rng.choice("abc")
    if rng.random() < 0.3:
        fields["public"] = rng.random() < 0.5
    if rng.random() < 0.5:
        fields["environment"] = rng.choice(["default", "dev", "prod"])
    if rng.random() < 0.5:
        fields |= {"root_id": rng.choice("rs"), "root_type": rng.choice(["SPAN", "AGENT"])}
        fields |= {"input_preview": rng.choice("xyz"), "output_preview": rng.choice(["", "w"])}
    return update(
        rng.randrange(4),
        start=rng.choice([None, 0, 1, 2]),
        timestamp=rng.randrange(4),
        tags=rng.sample("uvw", rng.randrange(3)),
        metadata={key: rng.choice("12") for key in rng.sample("kl", rng.randrange(3))},
        **fields,
    )


def _in_batches(rng: random.Random, updates: list[TraceUpdate]) -> Trace:
    stored: dict[str, Trace] = {}
    while updates:
        size = rng.randint(1, len(updates))
        rows = merge_traces(stored, updates[:size], NOW + timedelta(seconds=len(updates)))
        stored |= {row.id: row for row in rows if not row.is_deleted}
        updates = updates[size:]
    return stored["t"]


@pytest.mark.parametrize("seed", range(150))
def test_any_order_and_any_batches_give_the_same_record(seed):
    rng = random.Random(seed)
    updates = [_random_update(rng) for _ in range(rng.randint(2, 8))]
    expected = comparable(live(*updates))
    for _ in range(6):
        shuffled = updates + rng.sample(updates, rng.randrange(len(updates)))
        rng.shuffle(shuffled)
        assert comparable(_in_batches(rng, shuffled)) == expected
