"""What is accepted is on disk, whole and in order; what cannot be kept is refused."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tracing.ingest.inbox import BrokenEntry, FolderInbox, GroupCommit, Payload, has_age, unpack
from tracing.ingest.model import Envelope

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def payload(body: bytes = b"body", project: str = "p1") -> Payload:
    return Payload(Envelope(project_id=project, kind="otlp", received_at=NOW, content_type="application/json"), body)


@pytest.fixture
def inbox(tmp_path):
    return FolderInbox(tmp_path / "inbox")


def test_entry_comes_back_as_it_was(inbox):
    sent = [payload(b"\x00\xff" * 10), payload("中文".encode(), "p2"), payload(b"")]
    key = inbox.put(item.pack() for item in sent)
    assert list(unpack(inbox.get(key))) == sent


def test_long_bodies_come_back_as_they_were(inbox):
    sent = [payload(b"a" * 100), payload(b"b" * 1_000_000), payload(b"c")]
    GroupCommit(inbox, lambda key: None).store(sent[1])
    [key] = inbox.keys()
    assert inbox.get(key) == sent[1].pack()
    assert list(unpack(b"".join(item.pack() for item in sent))) == sent


def test_field_of_a_later_version_is_passed_over():
    packed = payload(b"body").pack()
    header = orjson.loads(packed[8:-4]) | {"invented_later": 5}
    text = orjson.dumps(header)
    assert list(unpack(len(text).to_bytes(4, "big") + packed[4:8] + text + b"body")) == [payload(b"body")]


@pytest.mark.parametrize(
    "entry",
    [b"x", b"\x00" * 20, payload().pack()[:-1], payload().pack()[:30], payload().pack() + b"rest", b"\xff" * 100],
)
def test_bytes_that_are_no_entry_are_told_apart(entry):
    with pytest.raises(BrokenEntry):
        list(unpack(entry))


def test_broken_entry_is_kept_beside_the_others(inbox):
    key = inbox.put([b"no entry"])
    assert Path(inbox.set_aside(key)).read_bytes() == b"no entry"
    assert list(inbox.keys()) == []


def test_keys_are_oldest_first(inbox):
    keys = [inbox.put([payload().pack()]) for _ in range(5)]
    assert list(inbox.keys()) == keys
    assert not any(has_age(key, 60) for key in keys)


def test_entry_from_before_the_clock_was_set_back_is_old(inbox, monkeypatch):
    key = inbox.put([payload().pack()])
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns - 3600 * 10**9)
    assert has_age(key, 5)


def test_finished_entry_is_gone(inbox):
    key = inbox.put([payload().pack()])
    inbox.delete([key, key])
    assert inbox.get(key) is None
    assert list(inbox.keys()) == []


def test_unfinished_write_is_no_entry(inbox):
    inbox.put([payload().pack()])
    (inbox.folder / "01763726400000000000-abc.inbox.part").write_bytes(b"half")
    assert len(list(inbox.keys())) == 1


def test_key_from_elsewhere_is_refused(inbox):
    with pytest.raises(ValueError, match="not an inbox key"):
        inbox.get("../secrets/salt.secret")


def test_concurrent_requests_share_entries_and_none_is_lost(inbox):
    keys: list[str] = []
    commits = GroupCommit(inbox, keys.append)
    bodies = [f"body {number}".encode() for number in range(200)]
    threads = [threading.Thread(target=commits.store, args=(payload(body),)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = [item.body for key in keys for item in unpack(inbox.get(key))]
    assert sorted(stored) == sorted(bodies)


def test_folder_that_cannot_be_written_is_an_error_and_heals(tmp_path):
    blocked = tmp_path / "inbox"
    blocked.write_text("a file stands where the folder should be")
    commits = GroupCommit(FolderInbox(blocked), lambda key: None)
    with pytest.raises(OSError, match="inbox"):
        commits.store(payload())
    blocked.unlink()
    commits.store(payload())
    assert len(list(commits.inbox.keys())) == 1


class SlowInbox(FolderInbox):
    """Its first write takes until it is released, and meanwhile requests queue."""

    def __init__(self, folder):
        super().__init__(folder)
        self.is_writing, self.may_go_on = threading.Event(), threading.Event()

    def put(self, chunks):
        self.is_writing.set()
        self.may_go_on.wait()
        return super().put(chunks)


def store_during_one_write(commits, payloads):
    """Store a first payload and, while it is written, the others. Returns what each request was told."""
    told = {}

    def store(item):
        try:
            commits.store(item)
            told[item.body] = "kept"
        except BaseException as error:
            told[item.body] = type(error)

    threads = [threading.Thread(target=store, args=(item,)) for item in [payload(b"first"), *payloads]]
    threads[0].start()
    commits.inbox.is_writing.wait()
    for thread in threads[1:]:
        thread.start()
    while len(commits._queue) < len(payloads):
        time.sleep(0.001)
    commits.inbox.may_go_on.set()
    for thread in threads:
        thread.join()
    return told


def test_entry_does_not_grow_with_what_queued(tmp_path):
    keys: list[str] = []
    commits = GroupCommit(SlowInbox(tmp_path / "inbox"), keys.append)
    bodies = [bytes([number]) * (5 << 20) for number in range(6)]
    huge = b"huge" * (5 << 20)
    told = store_during_one_write(commits, [payload(body) for body in [*bodies, huge]])
    assert set(told.values()) == {"kept"}
    entries = [[item.body for item in unpack(commits.inbox.get(key))] for key in keys]
    assert sorted(body for entry in entries for body in entry) == sorted([b"first", huge, *bodies])
    assert [huge] in entries
    assert max(sum(map(len, entry)) for entry in entries if huge not in entry) == 10 << 20


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError(), SystemExit()])
def test_nobody_of_a_group_is_told_of_success_when_the_write_failed(tmp_path, monkeypatch, error):
    keys: list[str] = []
    commits = GroupCommit(SlowInbox(tmp_path / "inbox"), keys.append)
    put, number_of_writes = commits.inbox.put, []

    def put_once(chunks):
        number_of_writes.append(1)
        if len(number_of_writes) == 2:
            raise error
        return put(chunks)

    monkeypatch.setattr(commits.inbox, "put", put_once)
    told = store_during_one_write(commits, [payload(b"a"), payload(b"b"), payload(b"c")])
    assert told.pop(b"first") == "kept"
    assert len(told) == 3
    assert all(isinstance(what, type) and issubclass(what, (OSError, SystemExit)) for what in told.values())
    assert [item.body for key in keys for item in unpack(commits.inbox.get(key))] == [b"first"]
    commits.store(payload(b"later"))
    assert len(keys) == 2
