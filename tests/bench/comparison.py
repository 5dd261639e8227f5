"""`python -m tests.bench.comparison`: how fast two experiments of 1,000 items open beside each other.

Each item is a root, a call and a judge, with three scores, sent as SDKs send them; other traces lie around them. Each
read but the first is made after the project changed, so that nothing is answered from memory.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from config.ports import free_port
from tests.clients.conftest import eventually
from tests.instance import Instance

_PER_REQUEST = 100
_RUNS = ("bench-before", "bench-after")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.comparison", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--others", type=int, default=20_000, help="spans of other traces in the same minutes")
    parser.add_argument("--repeats", type=int, default=15)
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    folder = Path(tempfile.mkdtemp(prefix="spanwise-comparison-"))
    instance = Instance(folder, free_port())
    try:
        instance.start()
        _send(instance, chosen)
        for name, path, target in _pages(instance):
            seconds = _times(instance, path, target, chosen.repeats)
            middle, worst = statistics.median(seconds), max(seconds)
            sys.stdout.write(f"{name:46} p50 {middle * 1000:6.0f} ms   worst {worst * 1000:6.0f} ms\n")
        return 0
    finally:
        instance.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _pages(instance: Instance) -> list[tuple[str, str, str]]:
    compare = f"/projects/{instance.project_id}/experiments/compare/?baseline={_RUNS[0]}&with={_RUNS[1]}"
    return [
        ("comparison", compare, ""),
        ("comparison, worst regressions first", f"{compare}&sort=score:quality", ""),
        ("significance, as a part", f"{compare}&significance=1", "summary"),
        ("table of experiments", f"/projects/{instance.project_id}/experiments/", ""),
    ]


def _times(instance: Instance, path: str, target: str, repeats: int) -> list[float]:
    found = []
    with httpx.Client(base_url=instance.url, follow_redirects=True, timeout=60) as pages, instance.client() as api:
        _sign_in(pages, instance)
        headers = {"HX-Request": "true", "HX-Target": target} if target else {}
        for _ in range(repeats + 1):
            # A score elsewhere makes what was read before old.
            api.post("/api/public/scores", json={"traceId": uuid4().hex, "name": "other", "value": 1})
            time.sleep(0.3)
            began = time.perf_counter()
            answer = pages.get(path, headers=headers)
            found.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text[:300]
    return found[1:]


def _sign_in(pages: httpx.Client, instance: Instance) -> None:
    form = pages.get("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert token is not None
    data = {"csrfmiddlewaretoken": token[1], "login": instance.email, "password": instance.password}
    assert "login" not in str(pages.post("/accounts/login/", data=data).url)


def _send(instance: Instance, chosen: argparse.Namespace) -> None:
    now = time.time_ns() - 3600 * 10**9
    with instance.client() as api:
        for place, experiment_id in enumerate(_RUNS):
            for start in range(0, chosen.items, _PER_REQUEST):
                numbers = range(start, min(start + _PER_REQUEST, chosen.items))
                items = [_item(experiment_id, n, now + (place * chosen.items + n) * 200 * 10**6) for n in numbers]
                _post(api, [span for spans in items for span in spans])
                scores = [score for n, spans in zip(numbers, items, strict=True) for score in _scores(spans[0], n)]
                for first in range(0, len(scores), _PER_REQUEST):
                    assert api.post("/api/public/scores", json=scores[first : first + _PER_REQUEST]).is_success
        for start in range(0, chosen.others, 500):
            _post(api, [_span(uuid4().hex, now + (start + n) * 20 * 10**6, {}) for n in range(500)])
        params = {"fromStartTime": "2020-01-01T00:00:00Z"}

        def told() -> None:
            counts = {
                one["id"]: one["itemCount"] for one in api.get("/api/public/experiments", params=params).json()["data"]
            }
            assert counts == dict.fromkeys(_RUNS, chosen.items)

        eventually(told, timeout_seconds=120)


def _post(api: httpx.Client, spans: list[dict[str, Any]]) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    assert api.post("/api/public/otel/v1/traces", json=body, timeout=60).is_success


def _item(experiment_id: str, number: int, start: int) -> list[dict[str, Any]]:
    trace_id, root_id = uuid4().hex, uuid4().hex[:16]
    told = {
        "langfuse.experiment.id": experiment_id,
        "langfuse.experiment.name": experiment_id,
        "langfuse.experiment.item.id": f"item-{number}",
        "langfuse.experiment.item.root_observation_id": root_id,
        "langfuse.experiment.item.expected_output": f"expected {number} " * 20,
    }
    text = {"langfuse.observation.input": f"question {number} " * 60, "langfuse.observation.output": "answer " * 120}
    call = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini"}
    call["langfuse.observation.usage_details"] = '{"input": 500, "output": 120}'
    root = _span(trace_id, start, {**told, **text}, span_id=root_id)
    return [
        root,
        _span(trace_id, start + 10**6, {**told, **text, **call}, parent_id=root_id),
        _span(trace_id, start + 300 * 10**6, {**told, **call}),
    ]


def _span(trace_id: str, start: int, told: dict[str, str], span_id: str = "", parent_id: str = "") -> dict[str, Any]:
    return {
        "traceId": trace_id,
        "spanId": span_id or uuid4().hex[:16],
        "parentSpanId": parent_id,
        "name": "work",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 150 * 10**6),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in told.items()],
    }


def _scores(root: dict[str, Any], number: int) -> list[dict[str, Any]]:
    about = {"traceId": root["traceId"], "observationId": root["spanId"]}
    values: dict[str, Any] = {"quality": number % 97 / 97, "close": number % 13 / 13, "kind": f"kind {number % 4}"}
    return [{"id": uuid4().hex, **about, "name": name, "value": value} for name, value in values.items()]


if __name__ == "__main__":
    sys.exit(main())
