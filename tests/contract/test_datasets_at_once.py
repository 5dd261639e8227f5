"""Items and queues while many write the same ones at the same moment, on the running product."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from tests.instance import Instance

pytestmark = pytest.mark.server


def test_writers_of_one_item_leave_one_version_that_is_current(server: Instance) -> None:
    name, item_id = f"at-once/{uuid.uuid4().hex[:8]}", uuid.uuid4().hex

    def write(number: int) -> tuple[str, int]:
        with server.client() as api:
            body = {"datasetName": name, "id": item_id, "input": number, "metadata": {f"k{number}": 1}}
            answer = api.post("/api/public/dataset-items", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()["version"], number

    with server.client() as api:
        assert api.post("/api/public/v2/datasets", json={"name": name}).is_success
    with ThreadPoolExecutor(8) as pool:
        written = sorted(pool.map(write, range(24)))
    # Each write has a moment of its own, and at each moment there is one version.
    assert all(before[0] < after[0] for before, after in pairwise(written))
    with server.client() as api:
        for version, number in written:
            params = {"datasetName": name, "version": version}
            [then] = api.get("/api/public/dataset-items", params=params).json()["data"]
            assert (then["id"], then["input"], then["version"]) == (item_id, number, version)
        [now] = api.get("/api/public/dataset-items", params={"datasetName": name}).json()["data"]
        assert now["input"] == written[-1][1]


def test_datasets_of_one_name_are_one(server: Instance) -> None:
    name = f"at-once/{uuid.uuid4().hex[:8]}"

    def make(_number: int) -> str:
        with server.client() as api:
            answer = api.post("/api/public/v2/datasets", json={"name": name})
            assert answer.status_code == 200, answer.text
            return str(answer.json()["id"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(16)))) == 1


def test_of_many_queues_of_one_name_one_is_made(server: Instance) -> None:
    name = f"at once {uuid.uuid4().hex[:8]}"
    with server.client() as api:
        config = api.post("/api/public/score-configs", json={"name": name, "dataType": "NUMERIC"}).json()

    def create(_number: int) -> tuple[int, str]:
        with server.client() as api:
            answer = api.post("/api/public/annotation-queues", json={"name": name, "scoreConfigIds": [config["id"]]})
            return answer.status_code, answer.text

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(16)))
    refused = [text for status, text in answers if status == 400]
    assert (len(refused), sum(status == 200 for status, _text in answers)) == (15, 1)
    assert all("already exists" in text for text in refused)
