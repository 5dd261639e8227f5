"""The phases of a run: ingest, small requests, freshness, reads, reads under load, a kill."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from tests.bench.client import Api
from tests.bench.corpus import DAYS, RARE_EVERY, SPANS_PER_TRACE, Corpus, encode
from tests.instance import Instance

_VISIBLE_SECONDS = 600


@dataclass
class Times:
    """Latencies in seconds."""

    seconds: list[float]

    def ms(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


@dataclass
class Bench:
    """One instance and what it was given so far."""

    instance: Instance
    corpus: Corpus
    sent_spans: int = 0
    next_request: int = 0

    def ingest(self, requests: int, connections: int) -> tuple[float, Times]:
        """Spans a second from the first byte until all are readable, and the acknowledgements' latencies."""
        numbers = list(range(self.next_request, min(self.next_request + requests, len(self.corpus.requests))))
        self.next_request += len(numbers)
        queue, lock, seconds = iter(numbers), threading.Lock(), []

        def work(_: int) -> None:
            api = Api(self.instance)
            while True:
                with lock:
                    number = next(queue, None)
                if number is None:
                    return api.close()
                body = self.corpus.body(number)
                began = time.perf_counter()
                api.export(body)
                seconds.append(time.perf_counter() - began)

        spans = sum(self.corpus.requests[number][2] for number in numbers)
        began = time.monotonic()
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(work, range(connections)))
        self.sent_spans += spans
        return spans / (self.wait_readable() - began), Times(seconds)

    def wait_readable(self, timeout_seconds: float = _VISIBLE_SECONDS) -> float:
        """When everything sent was there. The polls take at most a tenth of the time."""
        api = Api(self.instance)
        deadline = time.monotonic() + timeout_seconds
        while True:
            asked = time.monotonic()
            seen = api.count_spans()
            now = time.monotonic()
            if seen >= self.sent_spans:
                api.close()
                return now
            if now > deadline:
                raise RuntimeError(f"{self.sent_spans - seen:,} of {self.sent_spans:,} spans never became readable")
            time.sleep(max(0.02, 9 * (now - asked)))

    def send_big_trace(self, spans: int) -> str:
        trace_id, bodies = self.corpus.big_trace(spans)
        api = Api(self.instance)
        for body in bodies:
            api.export(body)
        api.close()
        self.sent_spans += spans
        self.wait_readable()
        return trace_id

    def small_requests(self, requests: int, connections: int = 16) -> tuple[float, float, Times]:
        """Requests of one span: acknowledged a second, seconds until all were readable, latencies."""
        now = time.time_ns()
        bodies = [encode(self.corpus.trace(n, now - n * 1_000_000, "small")[-1:]) for n in range(requests)]
        queue, lock, seconds = iter(bodies), threading.Lock(), []

        def work(_: int) -> None:
            api = Api(self.instance)
            while True:
                with lock:
                    body = next(queue, None)
                if body is None:
                    return api.close()
                began = time.perf_counter()
                api.export(body)
                seconds.append(time.perf_counter() - began)

        began = time.monotonic()
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(work, range(connections)))
        acknowledged = time.monotonic()
        self.sent_spans += requests
        return requests / (acknowledged - began), self.wait_readable() - acknowledged, Times(seconds)

    def freshness(self, samples: int) -> Times:
        """From the first byte of one trace until all of its spans can be read."""
        api, seconds = Api(self.instance), []
        for number in range(samples):
            spans = self.corpus.trace(number, time.time_ns() - 10**9, "fresh")
            body, trace_id = encode(spans), spans[0].trace_id.hex()
            began = time.perf_counter()
            api.export(body)
            while api.spans_of(trace_id) < len(spans):
                time.sleep(0.003)
                if time.perf_counter() - began > 30:
                    raise RuntimeError("a trace did not become readable within 30 s")
            seconds.append(time.perf_counter() - began)
            self.sent_spans += len(spans)
            time.sleep(0.05)
        api.close()
        return Times(seconds)

    def reads(self, big_trace_id: str, repeats: int) -> dict[str, Times]:
        api, draw = Api(self.instance), random.Random(5)
        sent = sum(spans for _, _, spans in self.corpus.requests[: self.next_request])
        traces = sent // SPANS_PER_TRACE
        rare = [word for number in range(7, traces, RARE_EVERY) if (word := self.corpus.rare_word(number))]

        def one_trace() -> None:
            assert api.spans_of(self.corpus.trace_id(draw.randrange(traces))) == SPANS_PER_TRACE

        def big_trace() -> None:
            assert api.spans_of(big_trace_id) > 1000

        def search() -> None:
            where = [{"type": "string", "column": "output", "operator": "matches", "value": draw.choice(rare)}]
            found = api.get("/v2/observations", limit=50, fields="core,basic,io", filter=json.dumps(where))
            assert found["data"]

        user = self.corpus.user
        kinds: dict[str, Callable[[], object]] = {
            "list": lambda: api.get("/traces", limit=50, fields="core,io,metrics"),
            "user": lambda: api.get("/traces", limit=50, fields="core,io,metrics", userId=user(draw.randrange(traces))),
            "search": search,
            "trace": one_trace,
            "big": big_trace,
            "metrics": lambda: api.get("/metrics", query=json.dumps(self._by_model_and_day())),
        }
        found = {kind: _timed(call, repeats) for kind, call in kinds.items()}
        api.close()
        return found

    def pages(self, big_trace_id: str, repeats: int) -> dict[str, Times]:
        """Latency of the HTML of the list and of the big trace, for a signed-in person."""
        with httpx.Client(base_url=self.instance.url, follow_redirects=True, timeout=60) as browser:
            sign_in(browser, self.instance)
            base = f"/projects/{self.instance.project_id}/traces/"
            addresses = {"page-list": f"{base}?range=all", "page-big": f"{base}{big_trace_id}/"}
            return {name: _timed(lambda url=url: _fetch(browser, url), repeats) for name, url in addresses.items()}

    def list_under_load(self, seconds: float, spans_per_second: int) -> Times:
        stop, api, found = threading.Event(), Api(self.instance), []
        feeder = threading.Thread(target=self._feed, args=(stop, spans_per_second), daemon=True)
        feeder.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            api.get("/traces", limit=50, fields="core,io,metrics")
            found.append(time.perf_counter() - began)
            time.sleep(0.05)
        stop.set()
        feeder.join()
        api.close()
        self.wait_readable()
        return Times(found)

    def kill(self, requests: int) -> int:
        """SIGKILL to everything at the last acknowledgement. Returns how many acknowledged spans are lost."""
        api = Api(self.instance)
        for number in range(requests):
            spans = self.corpus.trace(number, time.time_ns() - 10**9, "killed")
            api.export(encode(spans))
            self.sent_spans += len(spans)
        self.instance.kill_everything()
        time.sleep(0.3)
        self.instance.start()
        try:
            self.wait_readable(60)
            return 0
        except RuntimeError:
            return self.sent_spans - Api(self.instance).count_spans()

    def _feed(self, stop: threading.Event, spans_per_second: int) -> None:
        api, number = Api(self.instance), 0
        per_tick = spans_per_second // SPANS_PER_TRACE // 5
        while not stop.wait(0.2):
            spans = []
            for _ in range(per_tick):
                spans += self.corpus.trace(number, time.time_ns() - 10**9, "load")
                number += 1
            api.export(encode(spans))
            self.sent_spans += len(spans)
        api.close()

    def _by_model_and_day(self) -> dict[str, object]:
        until = datetime.now(UTC) + timedelta(days=1)
        return {
            "view": "observations",
            "dimensions": [{"field": "providedModelName"}],
            "metrics": [{"measure": measure, "aggregation": "sum"} for measure in ("totalCost", "totalTokens")],
            "timeDimension": {"granularity": "day"},
            "filters": [],
            "fromTimestamp": (until - timedelta(days=DAYS + 3)).isoformat(),
            "toTimestamp": until.isoformat(),
        }


def sign_in(browser: httpx.Client, instance: Instance) -> None:
    page = f"{instance.url}/accounts/login/"
    browser.get(page)
    form = {"login": instance.email, "password": instance.password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    answer = browser.post(page, data=form, headers={"Referer": page})
    assert "/accounts/login/" not in str(answer.url), "signing in was refused"


def _fetch(browser: httpx.Client, url: str) -> None:
    answer = browser.get(url)
    assert answer.status_code == 200, f"{url} answered {answer.status_code}"


def _timed(call: Callable[[], object], repeats: int) -> Times:
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return Times(seconds)
