"""What is accepted is on disk, whole and in order; what cannot be kept is refused."""

import threading
from datetime import UTC, datetime

import pytest

from tracing.ingest.inbox import FolderInbox, GroupCommit, Payload, unpack
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


def test_keys_are_oldest_first(inbox):
    keys = [inbox.put([payload().pack()]) for _ in range(5)]
    assert list(inbox.keys()) == keys
    assert list(inbox.keys(older_than_seconds=60)) == []


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
