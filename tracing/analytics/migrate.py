"""Numbered schema files, applied once each, in order, and never changed afterwards."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

from config.errors import Unavailable
from tracing.analytics import client

FOLDER = Path(__file__).parent / "schema" / "clickhouse"
_HISTORY = """CREATE TABLE IF NOT EXISTS schema_history (
    version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = MergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"""


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


def schema_files(folder: Path = FOLDER) -> list[SchemaFile]:
    files = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        version, _, name = path.stem.partition("_")
        files.append(SchemaFile(int(version), name, path.read_text(encoding="utf-8")))
    return files


def wait_for_server(seconds: float) -> None:
    """Raises `Unavailable` when the server has not answered in time."""
    deadline = time.monotonic() + seconds
    while not client.is_reachable():
        if time.monotonic() > deadline:
            raise Unavailable(f"The analytics server did not answer within {seconds:.0f} seconds.")
        time.sleep(0.1)


def apply(files: list[SchemaFile]) -> list[SchemaFile]:
    """Applies what is new and returns it. Each statement may safely run again, should we be interrupted."""
    client.call(lambda c: c.command(_HISTORY))
    applied = _applied()
    new = []
    for file in files:
        if file.version not in applied:
            _apply(file)
            new.append(file)
        elif applied[file.version] != file.checksum:
            name = f"{file.version:04d}_{file.name}.sql"
            raise SchemaChanged(f"schema file {name} was changed after it was applied; add a new file instead")
    return new


def _applied() -> dict[int, str]:
    result = client.call(lambda c: c.query("SELECT version, checksum FROM schema_history"))
    return {int(version): str(checksum) for version, checksum in result.result_rows}


def _apply(file: SchemaFile) -> None:
    for statement in file.statements:
        client.call(lambda c, sql=statement: c.command(sql))  # type: ignore[misc]
    row = [file.version, file.name, file.checksum]
    client.call(lambda c: c.insert("schema_history", [row], column_names=["version", "name", "checksum"]))
