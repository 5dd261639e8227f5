"""The inbox: accepted payloads on disk until their rows are safe in the analytics store. It is the truth.

An entry is one file with the payloads of all requests that waited for the same fsync: under load, hundreds of small
requests share one. Format, repeated per payload: header length and body length (two big-endian 32-bit numbers),
header (JSON of the envelope), body (bytes as received, decompressed).
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Protocol

import orjson

from tracing.ingest.model import Envelope

_LENGTHS = struct.Struct(">II")
SUFFIX = ".inbox"
#: Of a write that never finished nobody was told "accepted"; an hour leaves time for the slowest disk.
_ABANDONED_AFTER_SECONDS = 3600
#: A worker reads an entry at once: what queued during a slow fsync must not become one of gigabytes.
_ENTRY_BYTES = 12 << 20
#: Shorter bodies are cheaper copied than written by a call of their own.
_SHORT_BODY_BYTES = 64 << 10
_PROBE_BYTES = 4 << 10


class BrokenEntry(Exception):
    """Bytes that are no entry: cut short, overwritten, or written by a later version."""


@dataclass(slots=True)
class Payload:
    """One request, as it waits in the inbox."""

    envelope: Envelope
    body: bytes

    def pack(self) -> bytes:
        return b"".join(self.chunks())

    def chunks(self) -> list[bytes]:
        """As `pack`, without a copy of a long body."""
        header = orjson.dumps(self.envelope)
        head = _LENGTHS.pack(len(header), len(self.body)) + header
        return [head + self.body] if len(self.body) < _SHORT_BODY_BYTES else [head, self.body]


_ENVELOPE_FIELDS = frozenset(field.name for field in fields(Envelope))


def unpack(entry: bytes) -> Iterator[Payload]:
    """The payloads of one entry, in the order they came. Raises BrokenEntry."""
    if not entry:
        raise BrokenEntry("it is empty")
    position = 0
    while position < len(entry):
        try:
            header_size, body_size = _LENGTHS.unpack_from(entry, position)
            start = position + _LENGTHS.size
            envelope = _envelope(entry[start : start + header_size])
        except (struct.error, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BrokenEntry(f"no payload at byte {position}: {error}") from error
        position = start + header_size + body_size
        if position > len(entry):
            raise BrokenEntry(f"{position - len(entry)} bytes are missing at the end")
        yield Payload(envelope, entry[start + header_size : position])


def _envelope(header: bytes) -> Envelope:
    sent = orjson.loads(header)
    # A later version may have written more, before people went back to this one.
    known = {name: value for name, value in sent.items() if name in _ENVELOPE_FIELDS}
    return Envelope(**{**known, "received_at": datetime.fromisoformat(sent["received_at"])})


class Inbox(Protocol):
    """Where entries wait. A key names an entry and sorts by time of arrival."""

    def put(self, chunks: Iterable[bytes]) -> str:
        """Store one entry and return its key. When this returns it survives a power cut. Raises OSError."""

    def probe(self, wanted_bytes: int) -> None:
        """Raises OSError unless an entry of this size could be written. Monitors ask every second."""

    def expect(self, keys: Iterable[str]) -> None:
        """These will be asked for next, in this order."""

    def get(self, key: str) -> bytes | None:
        """The entry, or None when another worker has finished it. Raises OSError."""

    def delete(self, keys: Iterable[str]) -> None: ...

    def set_aside(self, key: str) -> str:
        """Move an entry that is none out of the way, and say where to."""

    def keys(self) -> Iterator[str]:
        """Keys of whole entries, oldest first."""


def new_key() -> str:
    return f"{time.time_ns():020d}-{secrets.token_hex(6)}{SUFFIX}"


def has_age(key: str, seconds: float) -> bool:
    """Whether it waits for so long. One from the future came before the clock was set back: it is no younger."""
    return abs((time.time_ns() - _arrived_ns(key)) / 1e9) >= seconds


class FolderInbox:
    """Entries as files in one folder. A key is a file's name and sorts by time of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folder_ready = False

    def put(self, chunks: Iterable[bytes]) -> str:
        """Store one entry and return its key. When this returns it survives a power cut. Raises OSError."""
        if not self._folder_ready:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder_ready = True
        key = new_key()
        draft = self.folder / f"{key}.part"
        try:
            handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb", buffering=0) as file:
                for chunk in chunks:
                    _write_all(file.fileno(), chunk)
                os.fsync(file.fileno())
            os.rename(draft, self.folder / key)
            self._sync_folder()
        except BaseException:
            self._folder_ready = False
            draft.unlink(missing_ok=True)
            raise
        return key

    def probe(self, wanted_bytes: int) -> None:
        """Raises OSError unless an entry of this size could be written. Not fsynced: monitors ask every second."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Abandoned drafts are cleared away by their names, and so is this file.
        draft = self.folder / f"{time.time_ns():020d}-{secrets.token_hex(6)}.probe.part"
        try:
            draft.write_bytes(b"\0" * _PROBE_BYTES)
        finally:
            draft.unlink(missing_ok=True)
        facts = os.statvfs(self.folder)
        if facts.f_bavail * facts.f_frsize < wanted_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def expect(self, keys: Iterable[str]) -> None:
        """A file is there at once."""

    def get(self, key: str) -> bytes | None:
        """The entry, or None when another worker has finished it."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def set_aside(self, key: str) -> str:
        """Move an entry that is none out of the way, and say where to."""
        target = self.folder / "broken" / key
        target.parent.mkdir(exist_ok=True, mode=0o700)
        os.rename(self._path(key), target)
        return str(target)

    def keys(self) -> Iterator[str]:
        """Keys of whole entries, oldest first; drafts that were abandoned are cleared away."""
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return
        for name in names:
            if name.endswith(".part"):
                if time.time_ns() - _arrived_ns(name) > _ABANDONED_AFTER_SECONDS * 1e9:
                    self._path(name).unlink(missing_ok=True)
            elif name.endswith(SUFFIX):
                yield name

    def _path(self, key: str) -> Path:
        if "/" in key or key.startswith("."):
            raise ValueError(f"not an inbox key: {key!r}")
        return self.folder / key

    def _sync_folder(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_all(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


def _arrived_ns(name: str) -> int:
    head = name.partition("-")[0]
    return int(head) if head.isdigit() else time.time_ns()


@dataclass(slots=True, eq=False)
class _Waiting:
    chunks: list[bytes]
    is_done: bool = False
    error: OSError | None = None

    @property
    def size(self) -> int:
        return sum(map(len, self.chunks))

    def fail(self, error: BaseException) -> None:
        self.error = error if isinstance(error, OSError) else OSError(f"not written: {error!r}")
        self.is_done = True


@dataclass
class GroupCommit:
    """Lets concurrent requests share one entry and one fsync.

    Whoever gets the lock writes for everybody who queued meanwhile, up to the size of an entry; the others find their
    payload written, or lead the next group. A lone request waits for nobody. `ring` is called with each new key, after
    it is safe.
    """

    inbox: Inbox
    ring: Callable[[str], None]
    _queue: list[_Waiting] = field(default_factory=list)
    _queue_lock: threading.Lock = field(default_factory=threading.Lock)
    _commit_lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, payload: Payload) -> None:
        """Returns when the payload is on disk. Raises OSError when it cannot be kept."""
        waiting = _Waiting(payload.chunks())
        with self._queue_lock:
            self._queue.append(waiting)
        while not waiting.is_done:
            with self._commit_lock:
                written = None if waiting.is_done else self._commit()
            if written:  # others write the next one meanwhile
                self.ring(written)
        if waiting.error is not None:
            raise waiting.error

    def _commit(self) -> str | None:
        """The key of the entry, if one was written."""
        group = self._next_group()
        try:
            key = self.inbox.put(chunk for waiting in group for chunk in waiting.chunks)
        except BaseException as error:
            # Whatever it was, also lack of memory: nobody may be told that this was accepted.
            for waiting in group:
                waiting.fail(error)
            if not isinstance(error, Exception):
                raise
            return None
        for waiting in group:
            waiting.is_done = True
        return key

    def _next_group(self) -> list[_Waiting]:
        """Those who queued first; one at least."""
        with self._queue_lock:
            count = size = 0
            for waiting in self._queue:
                size += waiting.size
                if count and size > _ENTRY_BYTES:
                    break
                count += 1
            group, self._queue = self._queue[:count], self._queue[count:]
        return group
