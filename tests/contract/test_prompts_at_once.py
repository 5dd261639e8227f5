"""Prompts while many write, move and read at the same moment, on a product with several web processes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import psutil
import pytest

from config.ports import free_port
from tests.instance import Instance
from tests.server_fixture import started

PROMPTS = "/api/public/v2/prompts"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The product with three web processes."""
    yield from started(Instance(tmp_path_factory.mktemp("several"), free_port(), environment={"WEB_CONCURRENCY": "3"}))


@pytest.fixture
def name() -> str:
    return f"at-once/{uuid.uuid4().hex[:8]}"


def create(api: httpx.Client, name: str, text: str, labels: tuple[str, ...] = ()) -> int:
    answer = api.post(PROMPTS, json={"type": "text", "name": name, "prompt": text, "labels": labels})
    assert answer.status_code in (200, 201), answer.text
    return int(answer.json()["version"])


def move(api: httpx.Client, name: str, version: int, label: str = "production") -> None:
    answer = api.patch(f"{PROMPTS}/{name.replace('/', '%2F')}/versions/{version}", json={"newLabels": [label]})
    assert answer.status_code == 200, answer.text


def labelled(api: httpx.Client, name: str, label: str = "production") -> int:
    answer = api.get(f"{PROMPTS}/{name.replace('/', '%2F')}", params={"label": label})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert label in found["labels"]
    assert found["prompt"] == f"text {found['version']}"  # no version's labels beside another one's text
    return int(found["version"])


def fetched(api: httpx.Client, name: str, version: int) -> dict[str, object]:
    answer = api.get(f"{PROMPTS}/{name.replace('/', '%2F')}", params={"version": version})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_fifty_at_once_are_fifty_versions(several, name):
    with several.client(timeout_seconds=120) as api, ThreadPoolExecutor(50) as pool:
        versions = list(pool.map(lambda one: create(api, name, f"text {one}", ("production",)), range(50)))
        assert sorted(versions) == list(range(1, 51))
        assert fetched(api, name, 50)["labels"] == ["production", "latest"]
        for version, written in zip(versions, range(50), strict=True):
            found = fetched(api, name, version)
            assert found["prompt"] == f"text {written}"
            assert version == 50 or found["labels"] == []


def test_fifty_names_at_once(several, name):
    with several.client(timeout_seconds=120) as api, ThreadPoolExecutor(50) as pool:
        versions = list(pool.map(lambda one: create(api, f"{name}/{one % 5}", "text"), range(50)))
    assert sorted(versions) == sorted(list(range(1, 11)) * 5)


def test_a_label_is_always_on_one_version(several, name):
    with several.client(timeout_seconds=120) as api, ThreadPoolExecutor(12) as pool:
        for number in range(1, 6):
            create(api, name, f"text {number}", ("production",))
        moves = [pool.submit(move, api, name, number % 5 + 1) for number in range(100)]
        reads = [pool.submit(labelled, api, name) for _ in range(300)]
        for done in (*moves, *reads):
            done.result()
        holders = [version for version in range(1, 6) if "production" in fetched(api, name, version)["labels"]]
        assert holders == [labelled(api, name)]


def test_labels_given_with_new_versions_are_on_the_one_that_is_last(several, name):
    """Creations that carry a label, against moves of the same label."""
    with several.client(timeout_seconds=120) as api, ThreadPoolExecutor(12) as pool:
        create(api, name, "text", ("production",))
        work = [pool.submit(create, api, name, "text", ("production", "own")) for _ in range(20)]
        work += [pool.submit(move, api, name, 1) for _ in range(20)]
        for done in work:
            done.result()
        for label in ("production", "own", "latest"):
            holders = [version for version in range(1, 22) if label in fetched(api, name, version)["labels"]]
            assert len(holders) == 1, label


def test_every_process_serves_a_moved_label_at_once(several, name):
    """All that answered by label keep what they answered; the next request after a move must not be given it."""
    with ExitStack() as open_until_the_end, several.client() as mover, ThreadPoolExecutor(24) as pool:
        create(mover, name, "text 1", ("production",))
        create(mover, name, "text 2")
        readers = [open_until_the_end.enter_context(several.client()) for _ in range(24)]
        assert set(pool.map(lambda api: labelled(api, name), readers)) == {1}
        assert len(processes_of(several)) == 3
        for number in range(20):
            version = number % 2 + 1
            move(mover, name, version)
            assert set(pool.map(lambda api: labelled(api, name), readers)) == {version}


def test_a_deleted_version_is_not_served_any_more(several, name):
    with ExitStack() as open_until_the_end, several.client() as api, ThreadPoolExecutor(24) as pool:
        readers = [open_until_the_end.enter_context(several.client()) for _ in range(24)]
        address = f"{PROMPTS}/{name.replace('/', '%2F')}"
        for number in range(1, 6):
            create(api, name, f"text {number}", ("production",))
            assert set(pool.map(lambda reader: labelled(reader, name), readers)) == {number}
        assert api.delete(address, params={"version": 5}).status_code == 204
        assert set(pool.map(lambda reader: reader.get(address).status_code, readers)) == {404}


def processes_of(instance: Instance) -> set[int]:
    """Those that hold connections of clients."""
    held = set()
    for process in instance.part("web"):
        found = process.net_connections("tcp")
        if any(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == instance.port for one in found):
            held.add(process.pid)
    return held
