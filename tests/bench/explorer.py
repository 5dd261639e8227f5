"""`python -m tests.bench.explorer --traces 110000`: what the explorer's own requests take over that much demo data.

Each is asked as the browser asks it: again and again with nothing new in between, then each time after a write.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx

from config.ports import free_port
from tests.bench.client import Api
from tests.bench.corpus import Corpus, encode
from tests.bench.phases import Times, sign_in
from tests.bench.weigh import PeakMemory, disk_bytes
from tests.instance import ROOT, Instance

RARE = "zqrare00"
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Ask:
    """One request of a page: `part` is what htmx replaces with the answer."""

    name: str
    path: str
    part: str = ""
    goal: str = ""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-explorer BENCH='…'", description=__doc__)
    parser.add_argument("--traces", type=int, default=8_000, help="demo traces, of 8 spans (default: 8,000)")
    parser.add_argument("--big", type=int, nargs="*", default=[5_000, 100_000], help="spans of the big traces")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--only", help="what the names of the requests must match")
    parser.add_argument("--folder", type=Path, help="keep the instance here; what is there already is measured")
    parser.add_argument("--out", type=Path, help="write the table here as well")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="spanwise-explorer-"))
    instance = Instance(folder / "product", free_port())
    is_filled = (folder / "filled").exists()
    try:
        instance.start()
        head = [] if is_filled else [*fill(instance, folder, chosen)]
        (folder / "filled").touch()
        table = "".join([*title(instance), *head, *_measure(instance, folder, chosen)])
        if chosen.out:
            chosen.out.write_text(table, encoding="utf-8")
        sys.stdout.write(table)
        return 0
    finally:
        instance.stop()
        if not chosen.folder:
            shutil.rmtree(folder, ignore_errors=True)


def fill(instance: Instance, folder: Path, chosen: argparse.Namespace) -> Iterator[str]:
    """Demo data, a rare word in 20 traces of two weeks, and the big traces, the newest of all."""
    os.environ.update({"DJANGO_SETTINGS_MODULE": "config.settings", "SPANWISE_DATA_DIR": str(instance.data_dir)})
    import django

    django.setup()
    from tracing.demo import drafts
    from tracing.demo.send import Sender

    api, corpus, now = Api(instance), _corpus(folder), time.time_ns()
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


def _corpus(folder: Path) -> Corpus:
    return Corpus(folder, seed=7, traces=0, until_ns=time.time_ns() // 10**9 * 10**9)


def title(instance: Instance) -> Iterator[str]:
    api = Api(instance)
    yield f"{api.count_spans():,} spans, {os.cpu_count()} cores, Python {platform.python_version()}. "
    api.close()


def _measure(instance: Instance, folder: Path, chosen: argparse.Namespace) -> Iterator[str]:
    corpus, api = _corpus(folder), Api(instance)
    yield "p50 in ms.\n\n| request | again | after a write | KB | goal |\n|---|---:|---:|---:|---:|\n"
    with httpx.Client(base_url=instance.url, follow_redirects=True, timeout=120) as browser:
        sign_in(browser, instance)

        def write() -> None:
            spans = corpus.trace(time.time_ns() % 10**6 * 200 + 1, time.time_ns() - 10**9, "fresh")
            api.export(encode(spans))
            while api.spans_of(spans[0].trace_id.hex()) < len(spans):
                time.sleep(0.01)

        for ask in _asks(instance, browser, corpus, chosen):
            if chosen.only and not re.search(chosen.only, ask.name):
                continue
            size = 0

            def call(ask: Ask = ask) -> None:
                nonlocal size
                size = len(_fetch(browser, ask))

            again, anew = timed(call, chosen.repeats), timed(call, chosen.repeats, before=write)
            line = f"| {ask.name} | {again.ms(0.5):,.0f} | {anew.ms(0.5):,.0f} | {size / 1024:,.0f} | {ask.goal} |\n"
            sys.stderr.write(line)
            yield line
    api.close()


def _asks(instance: Instance, browser: httpx.Client, corpus: Corpus, chosen: argparse.Namespace) -> Iterator[Ask]:
    base = f"/projects/{instance.project_id}"
    for noun in ("traces", "observations"):
        page = f"{base}/{noun}/"
        for range_name in ("7d", "all"):
            asked = f"{page}?range={range_name}"
            said = f"{noun}, {range_name}"
            yield Ask(f"{said}: page", asked, goal="≤ 20")
            yield Ask(f"{said}: facets", asked, "facets")
            yield Ask(f"{said}: strip", asked, "pulse")
            yield Ask(f"{said}: rare word", f"{asked}&q={RARE}", "results", "≤ 100")
            yield Ask(f"{said}: rare word, facets", f"{asked}&q={RARE}", "facets")
            yield Ask(f"{said}: errors", f"{asked}&q=level:ERROR", "results")
            yield Ask(f"{said}: errors, facets", f"{asked}&q=level:ERROR", "facets")
            yield Ask(f"{said}: errors, strip", f"{asked}&q=level:ERROR", "pulse")
            yield Ask(f"{said}: dearest", f"{asked}&sort=-cost", "results")
            yield Ask(f"{said}: slow and of a model", f"{asked}&q={quote('latency:>5 model:gpt-4o')}", "results")
            yield Ask(f"{said}: common word", f"{asked}&q=order", "results")
            yield Ask(f"{said}: two Chinese characters", f"{asked}&q={quote('退款')}", "results")
        yield Ask(f"{noun}: completion", f"{page}?range=all&text=model:g&caret=7", "suggestions")
    found = browser.get(f"{base}/traces/", params={"range": "all", "q": RARE})
    one = re.search(rf'{base}/traces/([^/"?]+)/', found.text)
    assert one, "no trace has the rare word"
    yield Ask("trace of 10 spans: page", f"{base}/traces/{one[1]}/")
    for size in chosen.big:
        trace_id, _ = corpus.big_trace(size)
        name = f"trace of {size:,} spans"
        yield Ask(f"{name}: page", f"{base}/traces/{trace_id}/", goal="≤ 700" if size == 5_000 else "")
        yield Ask(f"{name}: skeleton", f"{base}/trace-skeleton/?trace={trace_id}", goal="≤ 1,500")
        yield Ask(f"{name}: word in all of it", f"{base}/trace-find/?trace={trace_id}&find={RARE}")
    for noun in ("sessions", "users"):
        yield Ask(f"{noun}, 7d: page", f"{base}/{noun}/?range=7d")
        yield Ask(f"{noun}, all: page", f"{base}/{noun}/?range=all")
        one = re.search(rf'{base}/{noun}/([^/"?]+)/', browser.get(f"{base}/{noun}/", params={"range": "all"}).text)
        assert one, f"no {noun}"
        yield Ask(f"one of {noun}: page", f"{base}/{noun}/{one[1]}/")


def _fetch(browser: httpx.Client, ask: Ask) -> bytes:
    headers = {"HX-Request": "true", "HX-Target": ask.part} if ask.part else {}
    answer = browser.get(ask.path, headers=headers)
    assert answer.status_code == 200, f"{ask.path} answered {answer.status_code}"
    return answer.content


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


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
