"""Whatever goes wrong behind the door, what was accepted waits or is shown, and holds up nobody."""

import threading

import orjson
import pytest
from django.core.management import call_command
from django.db import OperationalError

from config.errors import Unavailable
from tests.analytics_fixture import local_server, pointed_at
from tests.tracing.otlp_requests import JSON, PROTOBUF, as_json, as_protobuf
from tests.tracing.otlp_samples import export, span
from tests.tracing.sender import OTLP, Sender
from tracing.analytics import client, store, tables
from tracing.analytics.backends import clickhouse
from tracing.analytics.backends.errors import StoreAway
from tracing.ingest import dead_letters, doorbell, drain, write
from tracing.models import DeadLetter

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

TIME = "2026-04-30T12:00:00.000Z"


class Patience(BaseException):
    """Waited long enough for a test."""


@pytest.fixture
def waits(monkeypatch):
    """Pauses of the worker take no time; `waits.then(number, act)` lets something happen in one of them."""

    class Waits:
        count = 0

        def then(self, number, act):
            self.number, self.act = number, act

        def wait(self, seconds):
            self.count += 1
            if self.count == getattr(self, "number", None):
                self.act()
            if self.count > 50:
                raise Patience

    waits = Waits()
    monkeypatch.setattr(drain._stopping, "wait", waits.wait)
    monkeypatch.setattr(drain, "_REST_SECONDS", -1.0)
    monkeypatch.setattr(client, "RETRY_PAUSES_SECONDS", ())
    return waits


@pytest.fixture
def next_life(monkeypatch):
    """The worker is started: it finds what an earlier one left, and may be killed itself."""

    def live():
        monkeypatch.setattr(doorbell, "_LIFE", f"{doorbell._LIFE}+")
        try:
            drain.sweep(older_than_seconds=0)
            drain.drain()
        except SystemExit:
            return "killed"
        except Unavailable:
            drain._stopping.clear()
            return "stopped"
        return "idle"

    return live


def letters(sender):
    return list(DeadLetter.objects.filter(project=sender.project))


def names(sender):
    return sorted(observation.name for observation in sender.observations())


def send(sender, *spans):
    """Each span in a request of its own. Ids come from the names."""
    for name in spans:
        id_ = f"{abs(hash(name)):032x}"
        assert sender.post(OTLP, export([span(id_, id_[-16:], name)])).status_code == 200


def put_in_one_entry(inbox):
    """What waits becomes one entry, as if it had come at the same time."""
    keys = list(inbox.keys())
    entry = b"".join(inbox.get(key) for key in keys)
    inbox.delete(keys)
    doorbell.broker().flushall()
    inbox.put([entry])


# --- The inbox ---------------------------------------------------------------------------------------------


def test_entry_that_is_none_moves_out_of_the_way(sender, own_inbox):
    send(sender, "before")
    key = own_inbox.put([b"\x00\x00\x01\x00 cut short"])
    doorbell.ring(key)
    send(sender, "after")
    drain.drain()
    assert names(sender) == ["after", "before"]
    assert list(own_inbox.keys()) == []
    assert [file.name for file in (own_inbox.folder / "broken").iterdir()] == [key]


def test_entry_that_cannot_be_read_is_left_for_later(sender, own_inbox, monkeypatch):
    send(sender, "first")
    [key] = own_inbox.keys()
    hidden = own_inbox.folder / "hidden"
    (own_inbox.folder / key).rename(hidden)
    (own_inbox.folder / key).mkdir()
    send(sender, "second")
    drain.drain()
    assert names(sender) == ["second"]
    assert drain.sweep(older_than_seconds=0) == 0, "it should rest for a while"
    (own_inbox.folder / key).rmdir()
    hidden.rename(own_inbox.folder / key)
    now = doorbell.time.time()
    monkeypatch.setattr(doorbell.time, "time", lambda: now + drain._REST_SECONDS + 1)
    assert drain.sweep(older_than_seconds=0) == 1
    drain.drain()
    assert names(sender) == ["first", "second"]


@pytest.mark.parametrize(("lease_ends_in", "found"), [(30, 0), (-1, 1), (3600, 1)])
def test_lease_of_another_machine_holds_until_its_end_and_never_for_long(sender, lease_ends_in, found):
    send(sender, "root")
    [key] = doorbell.claim(10)
    doorbell.let_go()
    mark = f"0 elsewhere:1:life:{doorbell.time.time() + lease_ends_in:.0f}"
    doorbell.broker().hset("ingest:claimed", key, mark)
    assert drain.sweep(older_than_seconds=0) == found


# --- What ends processes -------------------------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch):
    """Decoding a payload that holds the word ends the process."""
    decode = drain.decode

    def deadly(payload):
        if b"poison" in payload.body:
            raise SystemExit
        return decode(payload)

    monkeypatch.setattr(drain, "decode", deadly)


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize("in_one_entry", [False, True])
def test_payload_that_ends_the_process_is_buried_and_its_neighbours_land(sender, own_inbox, next_life, in_one_entry):
    other = Sender()
    send(sender, "a", "poison", "b")
    send(other, "theirs")
    if in_one_entry:
        put_in_one_entry(own_inbox)
    lives = [next_life() for _ in range(6)]
    assert lives == ["killed"] * 4 + ["idle"] * 2
    assert (names(sender), names(other)) == (["a", "b"], ["theirs"])
    [letter] = letters(sender)
    assert "process ended" in letter.reason
    assert letters(other) == []
    assert list(own_inbox.keys()) == []


@pytest.mark.usefixtures("poison")
def test_nobody_is_taken_for_the_one_who_ends_processes(sender, next_life):
    send(sender, "poison", "a")
    while next_life() == "killed":
        send(sender, "b", "c")
    assert next_life() == "idle"
    assert len(letters(sender)) == 1
    assert names(sender) == ["a", "b", "c"]


def kill():
    raise SystemExit


@pytest.mark.parametrize(("end", "told"), [(kill, "killed"), (drain.stop, "stopped")])
def test_worker_that_ends_while_a_store_is_away_blames_nobody(sender, settings, waits, next_life, end, told):
    def end_and_begin():
        waits.count = 0
        end()

    send(sender, "a", "b")
    waits.then(3, end_and_begin)
    url, settings.CLICKHOUSE_URL = settings.CLICKHOUSE_URL, "http://127.0.0.1:1"
    assert [next_life() for _ in range(6)] == [told] * 6
    settings.CLICKHOUSE_URL = url
    assert next_life() == "idle"
    assert names(sender) == ["a", "b"]
    assert letters(sender) == []


# --- Stores in trouble ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        {"CLICKHOUSE_URL": "http://127.0.0.1:1"},
        {"CLICKHOUSE_DB": "not_there_yet"},
        {"CLICKHOUSE_PASSWORD": "changed"},
    ],
)
def test_store_that_cannot_write_is_waited_for(sender, settings, waits, trouble):
    before = {name: getattr(settings, name) for name in trouble}

    def heal():
        for name, value in before.items():
            setattr(settings, name, value)

    for name, value in trouble.items():
        setattr(settings, name, value)
    waits.then(20, heal)
    send(sender, "a", "b")
    drain.drain()
    assert waits.count == 20
    assert names(sender) == ["a", "b"]
    assert letters(sender) == []


@pytest.mark.parametrize("code", [243, 252, 75])
def test_full_disk_is_waited_for_though_small_inserts_fit(sender, monkeypatch, waits, code):
    insert_body = clickhouse.insert_body

    def full(table, columns, body):
        if b"root" in body:
            client.call(lambda c: c.command(f"SELECT throwIf(true, 'full', {code}::Int16)", settings=allowed))
        insert_body(table, columns, body)

    allowed = {"allow_custom_error_code_in_throwif": 1}
    monkeypatch.setattr(clickhouse, "insert_body", full)
    waits.then(20, lambda: monkeypatch.setattr(clickhouse, "insert_body", insert_body))
    send(sender, "root")
    drain.drain()
    assert waits.count == 20
    assert names(sender) == ["root"]
    assert letters(sender) == []


def test_reading_that_takes_too_much_is_tried_again_later(sender, own_inbox, monkeypatch, waits):
    events = [{"id": f"e{n}", "type": "trace-create", "timestamp": TIME, "body": {"id": f"t{n}"}} for n in range(50)]
    for _ in range(2):
        assert sender.post("/api/public/ingestion", {"batch": events}).status_code == 207
        drain.drain()
    send(sender, "theirs")
    with monkeypatch.context() as unwell:
        unwell.setitem(clickhouse.READ_SETTINGS, "max_rows_to_read", 1)
        assert sender.post("/api/public/ingestion", {"batch": events}).status_code == 207
        drain.drain()
        assert len(list(own_inbox.keys())) > 0
    drain.sweep(older_than_seconds=0)
    drain.drain()
    assert list(own_inbox.keys()) == []
    assert letters(sender) == []
    assert names(sender) == ["theirs"]


def test_locked_project_is_waited_for_and_not_written_to(sender, monkeypatch, waits):
    monkeypatch.setattr(write, "_MAX_WAIT_SECONDS", 0.01)
    lock = f"ingest:lock:{sender.project.id}"
    doorbell.broker().set(lock, "another worker")
    seen = []

    def unlock():
        seen.append(names(sender))
        doorbell.broker().delete(lock)

    waits.then(5, unlock)
    send(sender, "root")
    drain.drain()
    assert seen == [[]]
    assert names(sender) == ["root"]
    assert letters(sender) == []


def test_decoder_that_needs_a_store_waits_for_it(sender, monkeypatch, waits):
    decode = drain.otlp.decode

    def away(body, envelope):
        raise Unavailable("The database is away.")

    monkeypatch.setattr(drain.otlp, "decode", away)
    waits.then(5, lambda: monkeypatch.setattr(drain.otlp, "decode", decode))
    send(sender, "root")
    drain.drain()
    assert waits.count == 5
    assert names(sender) == ["root"]
    assert letters(sender) == []


@pytest.mark.parametrize("error", [OperationalError("away"), OSError(28, "No space left on device")])
def test_dead_letter_that_cannot_be_written_yet_waits(sender, own_inbox, monkeypatch, waits, error):
    bury = dead_letters.bury

    def away(payload, reason):
        raise error

    monkeypatch.setattr(drain.otlp, "decode", lambda *_: 1 / 0)
    monkeypatch.setattr(dead_letters, "bury", away)
    waits.then(5, lambda: monkeypatch.setattr(dead_letters, "bury", bury))
    send(sender, "root")
    drain.drain()
    assert waits.count == 5
    assert len(letters(sender)) == 1
    assert list(own_inbox.keys()) == []


def test_payload_that_cannot_even_be_buried_holds_up_nobody(sender, own_inbox, monkeypatch, waits):
    decode = drain.decode
    monkeypatch.setattr(drain, "decode", lambda payload: 1 / 0 if b"poison" in payload.body else decode(payload))
    monkeypatch.setattr(dead_letters, "bury", lambda *_: 1 / 0)
    send(sender, "a", "poison", "b")
    for _ in range(6):
        drain.sweep(older_than_seconds=0)
        drain.drain()
        send(sender, "c")
    assert names(sender) == ["a", "b", "c"]
    drain.drain()
    [key] = own_inbox.keys()
    assert b"poison" in own_inbox.get(key)


# --- Payloads in trouble -------------------------------------------------------------------------------------


def test_large_resource_on_many_spans_fits_a_small_engine(sender, monkeypatch, waits):
    monkeypatch.setitem(clickhouse.WRITE_SETTINGS, "max_memory_usage", 200 << 20)
    spans = [span("a" * 32, f"{number:016x}", "bare") for number in range(4000)]
    assert sender.post(OTLP, export(spans, resource={"big": "x" * 40_000})).status_code == 200
    drain.drain()
    assert waits.count == 0
    query = store.select(sender.scope, tables.observations, tables.observations.c.id)
    assert len(store.rows(sender.scope, query, tag="test")) == 4000


@pytest.mark.parametrize("name", ["resource", "gen_ai__prompt__10000__content"])
def test_small_payload_that_becomes_too_much_is_buried_before_it_fills_the_memory(sender, waits, monkeypatch, name):
    monkeypatch.setattr("tracing.ingest.otlp.records._MOST_BYTES", 50_000_000)
    attributes, resource = ({}, {name: "x" * 100_000}) if name == "resource" else ({name: "x"}, {})
    spans = [span("a" * 32, f"{number:016x}", "bare", **attributes) for number in range(1100)]
    send(sender, "a", "b")
    assert sender.post(OTLP, export(spans[:300], resource=resource)).status_code == 200
    assert sender.post(OTLP, export(spans, resource=resource)).status_code == 200
    drain.drain()
    assert names(sender) == ["a", "b", *["bare"] * 300]
    [letter] = letters(sender)
    assert letter.reason == "TooLarge: The spans of this payload become more than 50,000,000 bytes."


def test_row_that_never_fits_is_buried_and_its_neighbours_land_at_once(sender, own_inbox, monkeypatch, waits):
    other = Sender()
    send(sender, "a", "b")
    send(other, "theirs")
    big = span("e" * 32, "f" * 16, "big", input="x" * 10_000_000)
    assert sender.post(OTLP, export([big])).status_code == 200
    put_in_one_entry(own_inbox)
    monkeypatch.setitem(clickhouse.WRITE_SETTINGS, "max_memory_usage", 24 << 20)
    deliveries = 0
    while drain.sweep(older_than_seconds=0):
        assert letters(sender) == []
        drain.drain()
        deliveries += 1
        assert (names(sender), names(other)) == (["a", "b"], ["theirs"])
    assert deliveries == 4
    [letter] = letters(sender)
    assert "no room" in letter.reason
    assert list(own_inbox.keys()) == []


def test_row_that_fits_again_lands(sender, own_inbox, monkeypatch, waits):
    big = span("e" * 32, "f" * 16, "big", input="x" * 10_000_000)
    with monkeypatch.context() as small:
        small.setitem(clickhouse.WRITE_SETTINGS, "max_memory_usage", 24 << 20)
        assert sender.post(OTLP, export([big])).status_code == 200
        drain.drain()
    assert names(sender) == []
    assert drain.sweep(older_than_seconds=0) == 1
    drain.drain()
    assert names(sender) == ["big"]
    assert letters(sender) == []
    assert list(own_inbox.keys()) == []


@pytest.fixture
def spoiled():
    """Rows named "bad…" are such as no store takes."""
    decode = drain.decode

    def spoil(payload):
        decoded = decode(payload)
        for observation in decoded.observations:
            if observation.name.startswith("bad"):
                observation.latency_us = "no number"
        for patch in decoded.patches:
            if patch.fields.get("name") == "bad":
                patch.fields["prompt_version"] = "no number"
        for score in decoded.scores:
            if score.name == "bad":
                score.value = "no number"
        return decoded

    with pytest.MonkeyPatch.context() as spoiling:
        spoiling.setattr(drain, "decode", spoil)
        yield spoiling


def test_rows_that_the_store_never_takes_are_buried_at_once(sender, waits, spoiled):
    send(sender, "a", "b", "bad", "c", "d")
    drain.drain()
    assert names(sender) == ["a", "b", "c", "d"]
    [letter] = letters(sender)
    assert "Cannot parse" in letter.reason


def one_export(*names):
    return export([span("a" * 32, f"{number + 1:016x}", name) for number, name in enumerate(names)])


@pytest.mark.parametrize(("encode", "content_type"), [(as_json, JSON), (as_protobuf, PROTOBUF)])
def test_spans_at_fault_are_buried_alone_and_can_be_sent_again(
    sender, own_inbox, waits, spoiled, monkeypatch, encode, content_type
):
    monkeypatch.setattr(dead_letters, "open_inbox", lambda: own_inbox)
    good = [f"good {number}" for number in range(9)]
    body = encode(one_export("bad 1", *good[:4], "bad 2", *good[4:]))
    assert sender.post(OTLP, body, content_type).status_code == 200
    drain.drain()

    assert names(sender) == good
    buried = letters(sender)
    assert sorted(name for letter in buried for name in names_in(letter)) == ["bad 1", "bad 2"]
    assert all("Cannot parse" in letter.reason for letter in buried)

    spoiled.undo()  # a store that takes them
    assert dead_letters.replay(sender.scope, [str(letter.pk) for letter in buried]).sent == 2
    drain.drain()
    assert names(sender) == ["bad 1", "bad 2", *good]


def test_request_with_too_much_at_fault_is_buried_as_a_whole(sender, waits, spoiled):
    bad = [f"bad {number}" for number in range(drain._MOST_AT_FAULT + 1)]
    assert sender.post(OTLP, one_export("good", *bad)).status_code == 200
    drain.drain()

    [letter] = letters(sender)
    assert names_in(letter) == ["good", *bad]


def test_of_a_span_that_came_twice_the_later_stands_where_another_is_at_fault(sender, waits, spoiled):
    ids = ("a" * 32, "1" * 16)
    earlier, later = span(*ids, "earlier"), span(*ids, "later", start_us=2_000_000)
    assert sender.post(OTLP, export([earlier, span("b" * 32, "2" * 16, "bad"), later])).status_code == 200

    def fail(_batch):
        raise RuntimeError("ended before it could say what is at fault")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drain, "_tell", fail)
        drain.drain()
    assert drain.sweep(older_than_seconds=0) == 1
    drain.drain()
    assert names(sender) == ["later"]


def test_observations_take_from_traces_that_are_told_after_them(sender, waits, spoiled):
    trace = {
        "id": "a",
        "type": "trace-create",
        "timestamp": "2026-04-30T12:00:05.000Z",
        "body": {"id": "t", "userId": "u"},
    }
    events = [generation("a", 1, traceId="t", name="a"), trace, generation("b", 6, traceId="t", name="bad")]
    assert sender.post("/api/public/ingestion", {"batch": events}).status_code == 207
    drain.drain()
    [stored] = sender.observations()
    assert (stored.name, stored.user_id) == ("a", "u")


def generation(id_, second, kind="create", **body):
    at = f"2026-04-30T12:00:0{second}.000Z"
    return {"id": f"{id_}{second}", "type": f"generation-{kind}", "timestamp": at, "body": {"id": id_, **body}}


def test_all_events_of_an_observation_are_buried_with_the_one_at_fault(sender, own_inbox, waits, spoiled, monkeypatch):
    monkeypatch.setattr(dead_letters, "open_inbox", lambda: own_inbox)
    events = [
        generation("a", 1, traceId="t", name="a", model="one"),
        generation("b", 1, traceId="t", name="b", output="short"),
        generation("b", 2, "update", name="bad", output="long"),
        generation("a", 2, "update", model="two"),  # of which trace, only the first says
        generation("b", 3, "update", level="ERROR"),
    ]
    assert sender.post("/api/public/ingestion", {"batch": events}).status_code == 207
    drain.drain()

    [stored] = sender.observations()
    assert (stored.id, stored.trace_id, stored.model) == ("a", "t", "two")
    [letter] = letters(sender)
    [payload] = dead_letters._payloads(letter)
    assert [event["id"] for event in orjson.loads(payload.body)] == ["b1", "b2", "b3"]

    spoiled.undo()
    assert dead_letters.replay(sender.scope, [str(letter.pk)]).sent == 1
    drain.drain()
    stored = {observation.id: observation for observation in sender.observations()}
    assert (stored["b"].trace_id, stored["b"].output, stored["b"].level) == ("t", "long", "ERROR")


def test_parts_that_a_store_refuses_for_now_are_tried_again(sender, own_inbox, waits, spoiled, monkeypatch):
    write_batch = drain.write
    refuses = True

    def write(batch):
        if (
            refuses
            and len(batch.parts) == 1
            and b"good" in batch.parts[0][0].body
            and b"bad" not in batch.parts[0][0].body
        ):
            raise StoreAway("too many parts")
        write_batch(batch)

    monkeypatch.setattr(drain, "write", write)
    assert sender.post(OTLP, one_export("good", "bad")).status_code == 200
    drain.drain()
    assert letters(sender) == []

    refuses = False
    assert drain.sweep(older_than_seconds=0) == 1
    drain.drain()
    assert names(sender) == ["good"]
    assert [name for letter in letters(sender) for name in names_in(letter)] == ["bad"]


def test_looking_for_what_is_at_fault_does_not_take_long(sender, waits, spoiled, monkeypatch, next_life):
    monkeypatch.setattr(drain, "_NEIGHBOURS_SECONDS", -1.0)
    assert sender.post(OTLP, one_export("good", "bad")).status_code == 200
    for _ in range(drain._MOST_FAILURES - 1):
        next_life()
        assert letters(sender) == []
    next_life()
    [letter] = letters(sender)
    assert names_in(letter) == ["good", "bad"]


def test_worker_that_stops_while_it_looks_for_what_is_at_fault_goes_on_later(sender, waits, spoiled, next_life):
    apart = drain._apart

    def taken_apart(*arguments):
        drain._stopping.set()
        return apart(*arguments)

    assert sender.post(OTLP, one_export("good", "bad")).status_code == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drain, "_apart", taken_apart)
        assert next_life() == "stopped"
    assert letters(sender) == []

    assert next_life() == "idle"
    assert names(sender) == ["good"]
    assert [name for letter in letters(sender) for name in names_in(letter)] == ["bad"]


def test_of_many_scores_only_the_one_at_fault_is_buried(sender, waits, spoiled):
    scores = [{"traceId": "t", "name": name, "value": 1} for name in ("a", "bad", "c")]
    assert sender.post("/api/public/scores", scores).status_code == 202
    drain.drain()

    assert sorted(score.name for score in sender.scores()) == ["a", "c"]
    [letter] = letters(sender)
    [payload] = dead_letters._payloads(letter)
    assert [score["name"] for score in orjson.loads(payload.body)] == ["bad"]


def names_in(letter):
    [payload] = dead_letters._payloads(letter)
    [resource_spans] = orjson.loads(payload.body)["resourceSpans"]
    return [span["name"] for scope_spans in resource_spans["scopeSpans"] for span in scope_spans["spans"]]


def test_row_that_ends_the_engine_is_buried(sender, monkeypatch, waits, tmp_path, request):
    monkeypatch.setattr(drain, "_MOST_FAILURES", 2)  # each failure is some starts of a server
    server = local_server(tmp_path)
    request.addfinalizer(server.stop)
    server.start()

    one_at_a_time = threading.Lock()  # the tables are written side by side

    def deadly(table, columns, body):
        if b"poison" in body:
            with one_at_a_time:
                server.kill()
                server.start()
            raise StoreAway("The connection broke off.")
        insert_body(table, columns, body)

    insert_body = clickhouse.insert_body
    monkeypatch.setattr(clickhouse, "insert_body", deadly)
    with pointed_at(server):
        call_command("migrate_analytics", verbosity=0)
        send(sender, "a", "poison", "b")
        drain.drain()
        assert names(sender) == ["a", "b"]
        while drain.sweep(older_than_seconds=0):
            assert letters(sender) == []
            drain.drain()
        assert names(sender) == ["a", "b"]
        assert len(letters(sender)) == 1
