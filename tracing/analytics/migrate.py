"""Numbered schema files, applied once each, in order, and never changed afterwards."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

from config.errors import Unavailable
from tracing.analytics import backends


class SchemaChanged(Exception):
    """An applied schema file is not what it was when it was applied."""


@dataclass(frozen=True, slots=True)
class SchemaFile:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """Split at semicolons that end a line: schema files have none inside."""
        return [part.strip() for part in re.split(r";\s*(?:\n|\Z)", self.sql) if part.strip()]


def schema_files(folder: Path | None = None) -> list[SchemaFile]:
    files = []
    for path in sorted((folder or backends.current().FOLDER).glob("[0-9]*.sql")):
        version, _, name = path.stem.partition("_")
        files.append(SchemaFile(int(version), name, path.read_text(encoding="utf-8")))
    return files


def wait_for_server(seconds: float) -> None:
    """Raises `Unavailable` when the server has not answered in time."""
    backend = backends.current()
    deadline = time.monotonic() + seconds
    while not backend.is_ready():
        if time.monotonic() > deadline:
            raise Unavailable(f"The analytics server did not answer within {seconds:.0f} seconds.")
        time.sleep(0.1)


def apply(files: list[SchemaFile]) -> list[SchemaFile]:
    """Applies what is new and returns it. Each statement may safely run again, should we be interrupted."""
    backend = backends.current()
    backend.make_history()
    applied = backend.applied()
    new = []
    for file in files:
        if file.version not in applied:
            _apply(file)
            new.append(file)
        elif applied[file.version] != file.checksum:
            name = f"{file.version:04d}_{file.name}.sql"
            raise SchemaChanged(f"schema file {name} was changed after it was applied; add a new file instead")
    return new


def _apply(file: SchemaFile) -> None:
    backend = backends.current()
    for statement in file.statements:
        backend.run(statement)
    backend.remember(file.version, file.name, file.checksum)
