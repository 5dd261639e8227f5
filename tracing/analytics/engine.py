"""chDB behind a fixed pool of connections: what the local analytics server runs statements on.

A data directory belongs to one process, and a chDB connection that is closed by a thread on its way out can
deadlock the engine. So connections are made once, lent to whichever thread needs one, and closed by the main
thread when the process ends.
"""

from __future__ import annotations

import queue
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# chDB works without pyarrow and only imports it when it is there: 40 MB of memory for what we never use.
sys.modules.setdefault("pyarrow", None)  # type: ignore[arg-type]

import chdb  # noqa: E402 - must come after the line above
from chdb import ChdbError  # noqa: E402

from tracing.analytics.memory import forget_start_up_code  # noqa: E402

_MEBIBYTE = 1024 * 1024
_SETTINGS_CLAUSE = re.compile(r"(.*?)(\bSETTINGS\s+[\w\s=,'.]+)?", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")

#: Engine settings of the whole process. Figures behind them: docs/analytics.md.
_CONFIG = """<clickhouse>
  <mark_cache_size>{marks}</mark_cache_size>
  <index_mark_cache_size>{index_marks}</index_mark_cache_size>
  <primary_index_cache_size>{index_marks}</primary_index_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <index_uncompressed_cache_size>{index_blocks}</index_uncompressed_cache_size>
  <mmap_cache_size>0</mmap_cache_size>
  <compiled_expression_cache_size>{compiled}</compiled_expression_cache_size>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <max_thread_pool_size>200</max_thread_pool_size>
  <max_thread_pool_free_size>8</max_thread_pool_free_size>
  <background_pool_size>2</background_pool_size>
  <background_merges_mutations_concurrency_ratio>1</background_merges_mutations_concurrency_ratio>
  <os_threads_nice_value_merge_mutate>15</os_threads_nice_value_merge_mutate>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_schedule_pool_size>2</background_schedule_pool_size>
  <merge_tree>
    <max_bytes_to_merge_at_max_space_in_pool>{largest_part}</max_bytes_to_merge_at_max_space_in_pool>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    <cleanup_delay_period>1</cleanup_delay_period>
    <max_cleanup_delay_period>3</max_cleanup_delay_period>
    <cleanup_delay_period_random_add>0</cleanup_delay_period_random_add>
  </merge_tree>
</clickhouse>
"""


class EngineError(Exception):
    """The engine refused a statement. `code` is ClickHouse's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        found = _CODE.search(message)
        self.code = int(found.group(1)) if found else 1002


@dataclass(slots=True)
class Outcome:
    """What a statement gave back, and the counts of ClickHouse's summary header."""

    body: bytes = b""
    summary: dict[str, str] = field(default_factory=dict)


class Session:
    """One connection, and the settings and database it has been left with by the last statement."""

    def __init__(self, address: str) -> None:
        self._connection = chdb.connect(address)
        # The engine would have a thread less for every gibibyte that it may not take, which leaves one.
        self._connection.query("SET max_threads_min_free_memory_per_thread = 0", "Null")
        self._database = "default"
        self._settings: dict[str, str] = {}
        self._holds_output = False

    def prepare(self, database: str, settings: dict[str, str]) -> None:
        """Only what differs from the last statement is sent: nearly always nothing."""
        if database and database != self._database:
            self._run(f"USE {quote_identifier(database)}")
            self._database = database
        if settings == self._settings:
            return
        changes = [f"{name} = DEFAULT" for name in self._settings.keys() - settings.keys()]
        changes += [f"{n} = {quote_text(v)}" for n, v in settings.items() if self._settings.get(n) != v]
        # Unknown until it succeeded: a refused SET must not leave us believing either state.
        self._settings = dict.fromkeys(self._settings | settings, "")
        self._run(f"SET {', '.join(changes)}")  # one statement: twenty of them take milliseconds
        self._settings = dict(settings)

    def query(self, sql: str, output_format: str, params: dict[str, str]) -> Outcome:
        result = self._run(sql, output_format, params)
        return Outcome(
            bytes(result.bytes()),
            {
                "read_rows": str(result.storage_rows_read()),
                "read_bytes": str(result.storage_bytes_read()),
                "written_rows": str(result.rows_written()),
                "written_bytes": str(result.bytes_written()),
                "result_rows": str(result.rows_read()),
                "elapsed_ns": str(int(result.elapsed() * 1e9)),
            },
        )

    def insert(self, statement: str, input_format: str, file: Path) -> Outcome:
        """`statement` is the INSERT without FORMAT and rows; the rows are in `file`.

        chDB's streaming insert is faster by a fifth and must not be used: when memory runs out while the rows are
        written, it reports success and drops them (chdb-core 26.9.0, docs/analytics.md).
        """
        target, settings = _SETTINGS_CLAUSE.fullmatch(statement).groups(default="")  # type: ignore[union-attr]
        sql = f"{target} FROM INFILE {quote_text(str(file))} {settings} FORMAT {input_format}"
        return self.query(sql, "Null", {})

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str, output_format: str = "TabSeparated", params: dict[str, str] | None = None) -> Any:
        if self._holds_output:
            self._drop_output()
        try:
            return self._connection.query(sql, output_format, params=params or {})
        except (ChdbError, RuntimeError) as error:
            self._holds_output = True
            with suppress(EngineError):  # then the next statement tries again, and is not run before that succeeds
                self._drop_output()
            raise EngineError(str(error)) from error

    def _drop_output(self) -> None:
        """The engine hands out what a statement had written before it failed with the answer to the next one, which may
        be another project's. Here that is one without an answer of its own, that no limit of a query can stop, of a
        setting that nobody changes."""
        try:
            self._connection.query("SET log_query_settings = 1", "Null")
        except (ChdbError, RuntimeError) as error:
            raise EngineError(str(error)) from error
        self._holds_output = False


class Engine:
    """The store in `folder`, open for the life of the process."""

    def __init__(self, folder: Path, sessions: int, memory_mebibytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.spool = folder / "spool"
        shutil.rmtree(self.spool, ignore_errors=True)
        self.spool.mkdir()
        config = folder / "engine.xml"
        config.write_text(_configuration(memory_mebibytes), encoding="utf-8")
        address = f"{folder / 'store'}?config-file={config}"
        self._all = [Session(address) for _ in range(sessions)]
        self._free: queue.LifoQueue[Session] = queue.LifoQueue()
        for session in self._all:
            self._free.put(session)
        forget_start_up_code("_chdb.abi3.so")

    @contextmanager
    def session(self, wait_seconds: float) -> Iterator[Session]:
        """Lends a connection. Last in, first out, so that few of them stay warm."""
        try:
            session = self._free.get(timeout=wait_seconds)
        except queue.Empty:
            raise EngineError("Code: 202. DB::Exception: Too many simultaneous queries") from None
        try:
            yield session
        finally:
            self._free.put(session)

    def close(self, wait_seconds: float) -> None:
        """Waits for running statements, then closes. Must be called by the main thread."""
        for _ in self._all:
            self._free.get(timeout=wait_seconds)
        for session in self._all:
            session.close()


def quote_identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote_text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _configuration(memory_mebibytes: int) -> str:
    return _CONFIG.format(
        marks=32 * _MEBIBYTE,
        index_marks=16 * _MEBIBYTE,
        index_blocks=32 * _MEBIBYTE,
        compiled=4 * _MEBIBYTE,
        memory=memory_mebibytes * _MEBIBYTE,
        largest_part=20 * 1024 * _MEBIBYTE,
    )
