"""`python -m tests.bench.prompts`: how fast a prompt is fetched over many connections while its label moves.

Beside it, in the same run, a bare server that answers the same bytes: what this machine and the web server can do.
"""

from __future__ import annotations

import argparse
import os
import platform
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import httpx

from config.ports import free_port
from tests.bench.phases import Times
from tests.instance import ROOT, Instance

_PATH = "/api/public/v2/prompts/support%2Fanswer"
_TEXT = "You answer questions about {{shop}} in {{language}}. " * 20
#: of what the load sends before it counts
_WARM_UP = 200


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-prompts BENCH='…'", description=__doc__)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--moves", type=float, default=2, help="of the label in a second (default: 2)")
    parser.add_argument("--out", type=Path, help="write the table here as well")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    folder = Path(tempfile.mkdtemp(prefix="spanwise-prompts-"))
    instance = Instance(folder / "product", free_port())
    try:
        instance.start()
        _write(instance)
        with _bare(folder, _answer(instance)) as port:
            floor = _loaded(port, "", chosen)
        still = _loaded(instance.port, _token(instance), chosen)
        with _moving(instance, chosen.moves) as moved:
            moving = _loaded(instance.port, _token(instance), chosen)
        table = _table(chosen, [("bare server, same bytes", *floor), ("nothing changes", *still)])
        table += _row(f"{chosen.moves:g} moves of a label a second", *moving)
        table += f"\n{moved[0]} moves, each seen by the next request of every connection.\n"
        if chosen.out:
            chosen.out.write_text(table, encoding="utf-8")
        sys.stdout.write(table)
        return 0
    finally:
        instance.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _write(instance: Instance) -> None:
    with instance.client() as api:
        for number in range(5):
            prompt = {"name": "support/answer", "type": "text", "prompt": f"{_TEXT}{number}", "labels": ["production"]}
            api.post("/api/public/v2/prompts", json=prompt).raise_for_status()


def _answer(instance: Instance) -> bytes:
    with instance.client() as api:
        return api.get(_PATH).raise_for_status().content


def _token(instance: Instance) -> str:
    return b64encode(":".join(instance.auth).encode()).decode()


# --- Moving ----------------------------------------------------------------------------------------------
@contextmanager
def _moving(instance: Instance, a_second: float) -> Iterator[list[int]]:
    """Moves the label meanwhile, and fails where a request after a move is given what was before it."""
    moved, over = [0], threading.Event()
    failed: list[str] = []

    def work() -> None:
        with instance.client() as api, instance.client() as another:
            while not over.wait(1 / a_second):
                version = moved[0] % 5 + 1
                api.patch(f"{_PATH}/versions/{version}", json={"newLabels": ["production"]}).raise_for_status()
                found = {client.get(_PATH).json()["version"] for client in (api, another)}
                moved[0] += 1
                if found != {version}:
                    failed.append(f"after a move to {version}, {found} was served")

    mover = threading.Thread(target=work)
    mover.start()
    try:
        yield moved
    finally:
        over.set()
        mover.join()
    if failed:
        raise RuntimeError("; ".join(failed[:3]))


# --- Load ------------------------------------------------------------------------------------------------
def _loaded(port: int, token: str, chosen: argparse.Namespace) -> tuple[float, Times]:
    """Requests a second and their latencies; sent by a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        rate, seconds = pool.apply(_load, (port, token, chosen.connections, chosen.seconds))
    return rate, Times(seconds)


def _load(port: int, token: str, connections: int, duration: float) -> tuple[float, list[float]]:
    request = f"GET {_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {token}\r\n\r\n".encode()
    ready, sent, seconds = selectors.DefaultSelector(), dict[socket.socket, float](), list[float]()
    for opened in [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(opened, selectors.EVENT_READ, bytearray())
        sent[opened] = time.perf_counter()
        opened.sendall(request)
    began = until = 0.0
    while not until or time.perf_counter() < until:
        for key, _events in ready.select(timeout=10):
            assert isinstance(key.fileobj, socket.socket)
            connection = key.fileobj
            if not _is_whole(key.data, connection.recv(65536)):
                continue
            now = time.perf_counter()
            seconds.append(now - sent[connection])
            sent[connection] = now
            connection.sendall(request)
        if not until and len(seconds) >= _WARM_UP:
            began, until = time.perf_counter(), time.perf_counter() + duration
            seconds.clear()
    return len(seconds) / (time.perf_counter() - began), seconds


def _is_whole(so_far: bytearray, piece: bytes) -> bool:
    """Whether an answer has come to its end with this piece; then the next one may begin."""
    if not piece:
        raise RuntimeError("the server closed a connection")
    so_far += piece
    head, found, body = bytes(so_far).partition(b"\r\n\r\n")
    if not found:
        return False
    if b" 200 " not in head[:16]:
        raise RuntimeError(head.decode(errors="replace"))
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    if len(body) < length:
        return False
    so_far.clear()
    return True


@contextmanager
def _bare(folder: Path, body: bytes) -> Iterator[int]:
    """The same web server with nothing behind it."""
    (folder / "bare.py").write_text(
        f"BODY = {body!r}\n\n\ndef app(environ, start_response):\n"
        '    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])\n'
        "    return [BODY]\n"
    )
    port = free_port()
    command = [str(Path(sys.executable).with_name("granian")), "--interface=wsgi", f"--port={port}", "--no-ws"]
    command += ["--workers=1", "--blocking-threads=24", "--log-level=error", "bare:app"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            _wait(lambda: httpx.get(f"http://127.0.0.1:{port}/", timeout=2).status_code == 200)
            yield port
        finally:
            process.terminate()


def _wait(is_ready: Callable[[], bool]) -> None:
    for _ in range(200):
        try:
            if is_ready():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the bare server did not start")


# --- Table -----------------------------------------------------------------------------------------------
def _table(chosen: argparse.Namespace, rows: list[tuple[str, float, Times]]) -> str:
    head = f"{chosen.connections} connections, {os.cpu_count()} cores, Python {platform.python_version()}.\n\n"
    head += "| a prompt by label | fetches/s | p50 ms | p99 ms |\n|---|---:|---:|---:|\n"
    return head + "".join(_row(*row) for row in rows)


def _row(name: str, rate: float, times: Times) -> str:
    return f"| {name} | {rate:,.0f} | {times.ms(0.5):.1f} | {times.ms(0.99):.1f} |\n"


if __name__ == "__main__":
    sys.exit(main())
