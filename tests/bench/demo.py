"""What is measured of an instance with demo data, as a table."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from config.ports import free_port
from tests.bench.client import Api
from tests.bench.corpus import Corpus, encode
from tests.bench.phases import Times
from tests.bench.weigh import PeakMemory, disk_bytes
from tests.instance import Instance

RARE = "zqrare00"
_DAY_NS = 86_400 * 10**9


def options(target: str, about: str | None, *, repeats: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"make {target} BENCH='…'", description=about)
    parser.add_argument("--traces", type=int, default=8_000, help="demo traces, of 8 spans (default: 8,000)")
    parser.add_argument("--big", type=int, nargs="*", default=[], help="spans of the big traces")
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--folder", type=Path, help="keep the instance here; what is there already is measured")
    parser.add_argument("--out", type=Path, help="write the table here as well")
    return parser


def measured(chosen: argparse.Namespace, parts: Callable[[Instance, Corpus], Iterable[str]]) -> int:
    """Writes what `parts` yields of a filled instance."""
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="spanwise-bench-"))
    instance = Instance(folder / "product", free_port())
    is_filled = (folder / "filled").exists()
    try:
        instance.start()
        corpus = Corpus(folder, seed=7, traces=0, until_ns=time.time_ns() // 10**9 * 10**9)
        head = [] if is_filled else [*_fill(instance, corpus, chosen)]
        (folder / "filled").touch()
        table = "".join([*_title(instance), *head, *parts(instance, corpus)])
        if chosen.out:
            chosen.out.write_text(table, encoding="utf-8")
        sys.stdout.write(table)
        return 0
    finally:
        instance.stop()
        if not chosen.folder:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(instance: Instance, corpus: Corpus, chosen: argparse.Namespace) -> Iterator[str]:
    """Demo data, a rare word in 20 traces of two weeks, and the big traces, the newest of all."""
    os.environ.update({"DJANGO_SETTINGS_MODULE": "config.settings", "SPANWISE_DATA_DIR": str(instance.data_dir)})
    import django

    django.setup()
    from tracing.demo import drafts
    from tracing.demo.send import Sender

    api, now = Api(instance), time.time_ns()
    with PeakMemory(instance) as peak:
        began = time.monotonic()
        with Sender(instance.url, *instance.auth) as sender:
            spans = sender.send(drafts(chosen.traces, seed=7, until=datetime.now(UTC))).spans
        while api.count_spans() < spans:
            time.sleep(1)
        seconds = time.monotonic() - began
    disk = disk_bytes(instance.data_dir)
    for number in range(20):
        api.export(encode(corpus.trace(7 + 4000 * number, now - (number * 14 + 7) * _DAY_NS // 20)))
    for size in chosen.big:
        trace_id, bodies = corpus.big_trace(size)
        for body in bodies:
            api.export(body)
        while api.spans_of(trace_id) < size:
            time.sleep(0.5)
    api.close()
    yield f"{spans:,} spans sent and readable in {seconds:,.0f} s ({spans / seconds:,.0f}/s), "
    yield f"{disk / spans:,.0f} bytes a span on disk, {peak.mb:,.0f} MB of memory at most.\n\n"


def _title(instance: Instance) -> Iterator[str]:
    api = Api(instance)
    yield f"{api.count_spans():,} spans, {os.cpu_count()} cores, Python {platform.python_version()}. "
    api.close()


def writer(api: Api, corpus: Corpus) -> Callable[[], None]:
    """A call that sends a trace, and returns once it can be read."""

    def write() -> None:
        spans = corpus.trace(time.time_ns() % 10**6 * 200 + 1, time.time_ns() - 10**9, "fresh")
        api.export(encode(spans))
        while api.spans_of(spans[0].trace_id.hex()) < len(spans):
            time.sleep(0.01)

    return write


def timed(call: Callable[[], object], repeats: int, before: Callable[[], object] | None = None) -> Times:
    call()
    seconds = []
    for _ in range(repeats):
        if before:
            before()
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return Times(seconds)
