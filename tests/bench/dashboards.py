"""`python -m tests.bench.dashboards --traces 130000`: what charts take over that much demo data, how soon home is full
in Chromium, and what ten people who reload it cost those who send.

Each chart is read from the store: again and again with nothing new in between, then each time after a write. The last
part sends the benchmark's own requests over 16 connections, first alone and then beside the ten.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import httpx

from tests.bench.client import Api
from tests.bench.corpus import Corpus
from tests.bench.demo import measured, options, timed, writer
from tests.bench.phases import Bench, Times, sign_in
from tests.instance import Instance

_CHART_MS, _HOME_SECONDS, _ACKNOWLEDGED_MS = 200, 1.5, 100
_CONNECTIONS = 16
#: what a viewer looks at a full home for
_LOOK_SECONDS = 1.0
#: whether every chart in view has come in
_IS_FULL = """![...document.querySelectorAll(".panel")].some((panel) =>
    panel.getBoundingClientRect().top < innerHeight && panel.querySelector("[aria-busy]"))"""
_FIGURES = re.compile(r'data-figure="([^"]+)"')


def main() -> int:
    parser = options("bench-dashboards", __doc__, repeats=7)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--requests", type=int, default=400, help="of 512 spans, for each half of the last part")
    chosen = parser.parse_args()
    return measured(
        chosen,
        lambda instance, corpus: [
            *_charts(instance, corpus, chosen),
            *_home(instance),
            *_viewed(instance, chosen),
        ],
    )


def _charts(instance: Instance, corpus: Corpus, chosen: argparse.Namespace) -> Iterator[str]:
    yield f"p50 in ms, goal ≤ {_CHART_MS}.\n\n| chart | 7 days | after a write | all time | after a write |\n"
    yield "|---|---:|---:|---:|---:|\n"
    api = Api(instance)
    write = writer(api, corpus)
    with _browser(instance) as browser:
        for name, url in _figures(instance, browser, "7d").items():
            found = []
            for range_name in ("7d", "all"):
                asked = f"{url.replace('range=7d', f'range={range_name}')}&anew"

                def call(asked: str = asked) -> None:
                    answer = browser.get(asked)
                    assert answer.status_code == 200, f"{asked} answered {answer.status_code}"

                found += [timed(call, chosen.repeats), timed(call, chosen.repeats, before=write)]
            line = f"| {name} | {' | '.join(f'{one.ms(0.5):,.0f}' for one in found)} |\n"
            sys.stderr.write(line)
            yield line
    api.close()


def _home(instance: Instance) -> Iterator[str]:
    """From the address until every chart that is in view is there: in a browser that has been here, and has not."""
    from tests.browser.chromium import chromium, new_context, signed_in_state

    with chromium() as browser:
        state = signed_in_state(browser, instance)
        seconds = []
        for _ in range(5):
            context = new_context(browser, state)
            page = context.new_page()
            for _ in range(2):  # the second time with what the browser keeps
                began = time.perf_counter()
                page.goto(f"{instance.url}/projects/{instance.project_id}/home/?range=7d")
                while not page.evaluate(_IS_FULL):
                    time.sleep(0.01)
                seconds.append(time.perf_counter() - began)
            context.close()
    first, again = Times(seconds[::2]), Times(seconds[1::2])
    yield f"\nHome in Chromium until all in view is drawn: {first.ms(0.5):,.0f} ms the first time, "
    yield f"{again.ms(0.5):,.0f} ms again (p50; goal ≤ {_HOME_SECONDS * 1000:,.0f}).\n"


def _viewed(instance: Instance, chosen: argparse.Namespace) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="spanwise-load-"))
    # Ids of its own each time: what is sent again to a folder that was kept would add nothing.
    seed = time.time_ns() % 10**9
    corpus = Corpus(folder, seed=seed, traces=(2 * chosen.requests + 2 * _CONNECTIONS) * 60, until_ns=time.time_ns())
    bench = Bench(instance, corpus, sent_spans=Api(instance).count_spans())
    try:
        bench.ingest(2 * _CONNECTIONS, _CONNECTIONS)  # the first of each thread takes longer
        _, alone = bench.ingest(chosen.requests, _CONNECTIONS)
        with _reloading(instance, chosen.viewers) as loads:
            _, beside = bench.ingest(chosen.requests, _CONNECTIONS)
        yield f"\nAcknowledged over {_CONNECTIONS} connections, goal p99 < {_ACKNOWLEDGED_MS} ms:\n\n"
        yield "| | p50 | p99 |\n|---|---:|---:|\n"
        yield f"| nobody looks | {alone.ms(0.5):,.0f} | {alone.ms(0.99):,.0f} |\n"
        yield f"| {chosen.viewers} reload home | {beside.ms(0.5):,.0f} | {beside.ms(0.99):,.0f} |\n\n"
        loaded = Times(loads)
        yield f"Meanwhile home was loaded {len(loads)} times, all of its charts in {loaded.ms(0.5):,.0f} ms (p50).\n"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _reloading(instance: Instance, viewers: int) -> Iterator[list[float]]:
    """So many people load home and all of its charts, look for a second, and load it again."""
    stop, seconds = threading.Event(), []
    with _browser(instance) as first:
        cookies = dict(first.cookies)  # signing in ten times at once is refused

    def look() -> None:
        with httpx.Client(base_url=instance.url, cookies=cookies, timeout=120) as browser:
            while not stop.wait(_LOOK_SECONDS):
                began = time.perf_counter()
                for url in _figures(instance, browser, "7d").values():
                    while browser.get(url).status_code == 503:  # as the page does
                        time.sleep(1)
                seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=look, daemon=True) for _ in range(viewers)]
    for thread in threads:
        thread.start()
    yield seconds
    stop.set()
    for thread in threads:
        thread.join()


@contextmanager
def _browser(instance: Instance) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=instance.url, follow_redirects=True, timeout=120) as browser:
        sign_in(browser, instance)
        yield browser


def _figures(instance: Instance, browser: httpx.Client, range_name: str) -> dict[str, str]:
    """Addresses of the charts of home, by preset."""
    page = browser.get(f"/projects/{instance.project_id}/home/", params={"range": range_name})
    page.raise_for_status()
    urls = [unescape(found) for found in _FIGURES.findall(page.text)]
    assert urls, f"{page.url} has no charts"
    return {httpx.URL(url).params["preset"]: url for url in urls}


if __name__ == "__main__":
    sys.exit(main())
