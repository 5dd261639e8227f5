"""`python -m tests.bench --spans 60000`: starts the default on a folder of its own, measures, prints one table."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from config.ports import free_port
from tests.bench import floor
from tests.bench.corpus import SPANS_PER_TRACE, Corpus
from tests.bench.phases import Bench
from tests.bench.weigh import PeakMemory, disk_bytes, memory_mb
from tests.instance import Instance

_CONNECTIONS = (1, 4, 16)
Row = tuple[str, str, str]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH='…'", description=__doc__)
    parser.add_argument("--spans", type=int, default=60_000, help="stored before the reads (default: 60,000)")
    parser.add_argument("--batch", type=int, default=512, help="spans a request")
    parser.add_argument("--big", type=int, default=5_000, help="spans of the big trace")
    parser.add_argument("--small", type=int, default=6_000, help="requests of one span")
    parser.add_argument("--repeats", type=int, default=15, help="of each read")
    parser.add_argument("--fresh", type=int, default=30, help="freshness samples")
    parser.add_argument("--load-seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-floor", action="store_true")
    parser.add_argument("--out", type=Path, help="write the table here as well")
    parser.add_argument("--keep", action="store_true", help="keep the data folder and the log")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    folder = Path(tempfile.mkdtemp(prefix="spanwise-bench-"))
    instance = Instance(folder / "product", free_port())
    try:
        _say("encoding requests")
        until = time.time_ns() // 10**9 * 10**9
        corpus = Corpus(folder, chosen.seed, chosen.spans // SPANS_PER_TRACE, until, chosen.batch)
        rows = [] if chosen.no_floor else _floor(corpus, folder)
        rows += _measure(chosen, instance, corpus)
        table = render(chosen, corpus, rows)
        if chosen.out:
            chosen.out.write_text(table, encoding="utf-8")
        sys.stdout.write(table)
        return 0
    finally:
        instance.stop()
        if chosen.keep:
            _say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _floor(corpus: Corpus, folder: Path) -> list[Row]:
    _say("floor")
    rates = floor.measure(corpus, folder)
    return [
        ("floor: protobuf parsed, one core, spans/s", f"{rates['protobuf']:,.0f}", ""),
        ("floor: our OTLP decode, one core, spans/s", f"{rates['decode']:,.0f}", ""),
        ("floor: raw inserts through the analytics server, rows/s", f"{rates['insert']:,.0f}", ""),
    ]


def _measure(chosen: argparse.Namespace, instance: Instance, corpus: Corpus) -> list[Row]:
    _say("first start")
    first = instance.start()
    time.sleep(3)
    rows: list[Row] = [("memory of all processes at rest, MB", f"{memory_mb(instance):,.0f}", "≤ 600")]
    empty = disk_bytes(instance.data_dir)
    bench = Bench(instance, corpus)
    with PeakMemory(instance) as peak:
        rows += _ingest(bench)
    disk = (disk_bytes(instance.data_dir) - empty) / bench.sent_spans
    _say("big trace, small requests, freshness")
    big = bench.send_big_trace(chosen.big)
    rows += _small(bench, chosen.small)
    fresh = bench.freshness(chosen.fresh)
    rows.append(
        ("one trace sent until readable, p50 / p95 ms", f"{fresh.ms(0.5):,.0f} / {fresh.ms(0.95):,.0f}", "≤ 50 / ≤ 150")
    )
    rows += _reads(bench, big, chosen)
    rows.append(("disk, bytes per span (right after ingest)", f"{disk:,.0f}", "≤ 450"))
    rows.append(("memory of all processes under load, MB", f"{peak.mb:,.0f}", "≤ 1,200"))
    rows += _starts(bench, first)
    return rows


def _ingest(bench: Bench) -> list[Row]:
    rows: list[Row] = []
    share = -(-len(bench.corpus.requests) // len(_CONNECTIONS))
    for connections in _CONNECTIONS:
        _say(f"ingest over {connections} connections")
        rate, acks = bench.ingest(share, connections)
        goal = "≥ 15,000" if connections > 1 else ""
        rows.append((f"OTLP until readable, {connections} connections, spans/s", f"{rate:,.0f}", goal))
        goal = "p99 < 100" if connections == 16 else ""
        rows.append(
            (
                f"acknowledgement, {connections} connections, p50 / p99 ms",
                f"{acks.ms(0.5):,.0f} / {acks.ms(0.99):,.0f}",
                goal,
            )
        )
    return rows


def _small(bench: Bench, requests: int) -> list[Row]:
    rate, lag, acks = bench.small_requests(requests)
    return [
        ("1-span requests, 16 connections, acknowledged/s", f"{rate:,.0f}", "≥ 1,500"),
        ("1-span requests, acknowledgement p50 / p99 ms", f"{acks.ms(0.5):,.0f} / {acks.ms(0.99):,.0f}", ""),
        ("1-span requests, last one until all readable, s", f"{lag:.1f}", "≤ 2"),
    ]


def _reads(bench: Bench, big: str, chosen: argparse.Namespace) -> list[Row]:
    _say("reads")
    reads = bench.reads(big, chosen.repeats) | bench.pages(big, chosen.repeats)
    names = {
        "list": ("newest 50 traces", "≤ 20"),
        "user": ("traces of one user", ""),
        "search": ("text search, rare word", "≤ 100"),
        "trace": (f"trace of {SPANS_PER_TRACE} spans", ""),
        "big": (f"trace of {chosen.big:,} spans", "≤ 250"),
        "metrics": ("cost and tokens by model and day", "≤ 80"),
        "page-list": ("page: trace list", ""),
        "page-big": (f"page: trace of {chosen.big:,} spans, HTML", ""),
    }
    rows = [(f"{names[kind][0]}, p50 ms", f"{times.ms(0.5):,.1f}", names[kind][1]) for kind, times in reads.items()]
    _say("reads under load")
    loaded = bench.list_under_load(chosen.load_seconds, 1_000)
    rows.append(
        (
            "newest 50 traces while 1,000 spans/s arrive, p50 / p95 ms",
            f"{loaded.ms(0.5):,.0f} / {loaded.ms(0.95):,.0f}",
            "p95 ≤ 60",
        )
    )
    return rows


def _starts(bench: Bench, first: float) -> list[Row]:
    _say("restarts")
    bench.instance.stop()
    again = bench.instance.start()
    lost = bench.kill(8)
    return [
        ("start until ready, first / second time, s", f"{first:.1f} / {again:.1f}", "second ≤ 5"),
        ("acknowledged spans lost at SIGKILL of everything", f"{lost:,}", "0"),
    ]


def render(chosen: argparse.Namespace, corpus: Corpus, rows: list[Row]) -> str:
    """The table, in Markdown."""
    head = (
        f"{chosen.spans:,} spans of {corpus.bytes_per_span():,.0f} bytes, {chosen.batch} a request, "
        f"seed {chosen.seed}; "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}. "
        "Reads through the public API unless they say “page”.\n\n| | measured | goal |\n|---|---:|---:|\n"
    )
    return head + "".join(f"| {name} | {value} | {goal} |\n" for name, value, goal in rows)


_began = time.monotonic()


def _say(text: str) -> None:
    print(f"[{time.monotonic() - _began:6.1f}s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
