"""`python -m tests.bench.explorer --traces 110000`: what the explorer's own requests take over that much demo data.

Each is asked as the browser asks it: again and again with nothing new in between, then each time after a write.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from tests.bench.client import Api
from tests.bench.corpus import Corpus
from tests.bench.demo import RARE, measured, options, timed, writer
from tests.bench.phases import sign_in
from tests.instance import ROOT, Instance


@dataclass(frozen=True)
class Ask:
    """One request of a page: `part` is what htmx replaces with the answer."""

    name: str
    path: str
    part: str = ""
    goal: str = ""


def main() -> int:
    parser = options("bench-explorer", __doc__, repeats=11)
    parser.set_defaults(big=[5_000, 100_000])
    parser.add_argument("--only", help="what the names of the requests must match")
    chosen = parser.parse_args()
    return measured(chosen, lambda instance, corpus: _measure(instance, corpus, chosen))


def _measure(instance: Instance, corpus: Corpus, chosen: argparse.Namespace) -> Iterator[str]:
    api = Api(instance)
    write = writer(api, corpus)
    yield "p50 in ms.\n\n| request | again | after a write | KB | goal |\n|---|---:|---:|---:|---:|\n"
    with httpx.Client(base_url=instance.url, follow_redirects=True, timeout=120) as browser:
        sign_in(browser, instance)
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


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
