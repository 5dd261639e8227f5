"""What this machine can do at all, in the same run: decoding OTLP, raw inserts through the analytics server."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config.ports import free_port
from tests.bench.corpus import Corpus
from tests.instance import ROOT

_BLOCK_ROWS = 5_000
_ROWS = 20_000
_TABLE = (
    "CREATE TABLE raw (project String, trace_id String, id String, name LowCardinality(String), start DateTime64(6), "
    "input String CODEC(ZSTD(1)), output String CODEC(ZSTD(1))) ENGINE = MergeTree ORDER BY (project, start)"
)


def measure(corpus: Corpus, folder: Path) -> dict[str, float]:
    """Rates a second, each the best of three."""
    count = min(len(corpus.requests), max(1, _ROWS // corpus.spans_per_request))
    bodies = [corpus.body(number) for number in range(count)]
    spans = sum(corpus.requests[number][2] for number in range(count))
    rows = _rows(bodies)
    with _analytics_server(folder) as client:
        client.command(_TABLE)
        inserted = _best(len(rows), lambda: _insert(client, rows))
    return {
        "protobuf": _best(spans, lambda: [ExportTraceServiceRequest.FromString(body) for body in bodies]),
        "decode": _best(spans, lambda: _decode(bodies)),
        "insert": inserted,
    }


def _best(items: int, work: Callable[[], object]) -> float:
    rates = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        rates.append(items / (time.perf_counter() - began))
    return max(rates)


def _decode(bodies: list[bytes]) -> None:
    from tracing.ingest import otlp
    from tracing.ingest.model import Envelope

    envelope = Envelope(
        project_id="bench", kind="otlp", received_at=datetime.now(UTC), content_type="application/x-protobuf"
    )
    for body in bodies:
        otlp.decode(body, envelope)


def _rows(bodies: list[bytes]) -> list[list[Any]]:
    rows = []
    for body in bodies:
        for span in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans:
            texts = {pair.key: pair.value.string_value for pair in span.attributes}
            start = datetime.fromtimestamp(span.start_time_unix_nano / 1e9, UTC)
            sides = [texts.get(f"langfuse.observation.{side}", "") for side in ("input", "output")]
            rows.append(["bench", span.trace_id.hex(), span.span_id.hex(), span.name, start, *sides])
    return rows


def _insert(client: Any, rows: list[list[Any]]) -> None:
    for at in range(0, len(rows), _BLOCK_ROWS):
        client.insert("raw", rows[at : at + _BLOCK_ROWS])


@contextmanager
def _analytics_server(folder: Path) -> Iterator[Any]:
    port, token = free_port(), secrets.token_hex(8)
    command = [sys.executable, "-m", "tracing.analytics.server", "--data", str(folder / "floor"), "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "SPANWISE_ANALYTICS_TOKEN": token}, stderr=subprocess.DEVNULL
    )
    try:
        yield _connect(port, token)
    finally:
        process.terminate()
        process.wait(20)


def _connect(port: int, token: str) -> Any:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                pass
            return clickhouse_connect.get_client(host="127.0.0.1", port=port, username="default", password=token)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
