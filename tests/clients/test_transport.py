"""Requests as clients, and what stands between, really send them: to the running product, over real connections."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.ports import free_port
from tests.clients.conftest import eventually
from tests.instance import ROOT, Instance
from tests.tracing.otlp_requests import as_protobuf, span
from tests.tracing.otlp_requests import request as otlp_request

OTLP, INGESTION = "/api/public/otel/v1/traces", "/api/public/ingestion"
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def new_trace() -> str:
    return uuid.uuid4().hex


def export(trace_id: str, *, size: int = 0) -> dict[str, Any]:
    now = time.time_ns()
    times = {"startTimeUnixNano": str(now - 10**9), "endTimeUnixNano": str(now)}
    attributes = {"input.value": "x" * size} if size else {}
    return otlp_request(span(attributes, traceId=trace_id, spanId=trace_id[:16], name="sent", **times))


def as_json(trace_id: str, *, size: int = 0) -> bytes:
    return json.dumps(export(trace_id, size=size)).encode()


def in_pieces(body: bytes, size: int = 4096) -> Iterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


def assert_stored(api: httpx.Client, *trace_ids: str) -> None:
    def found() -> None:
        for trace_id in trace_ids:
            answer = api.get(f"/api/public/traces/{trace_id}")
            assert answer.status_code == 200, trace_id
            assert [one["name"] for one in answer.json()["observations"]] == ["sent"]

    eventually(found)


def assert_found(client: httpx.Client, trace_id: str) -> None:
    assert client.get(f"/api/public/traces/{trace_id}").status_code == 200


def assert_not_stored(api: httpx.Client, *trace_ids: str) -> None:
    """After a later one of the same sender has come through."""
    later = new_trace()
    assert api.post(OTLP, content=as_json(later), headers=JSON).status_code == 200
    assert_stored(api, later)
    for trace_id in trace_ids:
        assert api.get(f"/api/public/traces/{trace_id}").status_code == 404


@pytest.mark.parametrize("size", [0, 3_000_000])
def test_chunked_json_without_a_length(api, size):
    """As the JavaScript SDK sends spans."""
    trace_id = new_trace()
    answer = api.post(OTLP, content=in_pieces(as_json(trace_id, size=size)), headers=JSON)
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()) == (200, {})
    assert_stored(api, trace_id)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("identity, gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("zlib", zlib.compress),
        ("identity", bytes),
        ("utf-8", bytes),
    ],
    ids=["gzip", "GZIP", "x-gzip", "identity and gzip", "deflate", "raw deflate", "zlib", "identity", "no coding"],
)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["with length", "chunked"])
def test_compressed_bodies(api, coding, pack, is_chunked):
    trace_id = new_trace()
    packed = pack(as_json(trace_id, size=200_000))
    content = in_pieces(packed) if is_chunked else packed
    answer = api.post(OTLP, content=content, headers={**JSON, "Content-Encoding": coding})
    assert (answer.status_code, answer.json()) == (200, {})
    assert_stored(api, trace_id)


@pytest.mark.parametrize("coding", ["br", "zstd", "snappy", "lz4", "gzip, gzip", "gzip, br"])
@pytest.mark.parametrize("path", [OTLP, INGESTION, "/api/public/traces"])
def test_other_codings_are_told_so(api, coding, path):
    answer = api.post(path, content=b"whatever", headers={**JSON, "Content-Encoding": coding})
    message = f'Content-Encoding "{coding}" is not supported. Use gzip or deflate, or do not compress.'
    assert (answer.status_code, answer.json()) == (
        415,
        {"message": message, "error": "UnsupportedMediaTypeError"},
    )


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("path", [OTLP, INGESTION, "/api/public/traces"])
def test_broken_compression_is_told_so(api, coding, path):
    whole = gzip.compress(as_json(new_trace())) if coding == "gzip" else zlib.compress(as_json(new_trace()))
    for broken in (b"not compressed", whole[:-5], whole[:20]):
        answer = api.post(path, content=broken, headers={**JSON, "Content-Encoding": coding})
        assert answer.status_code == 400
        assert "Failed to decompress request body" in answer.json().values()


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with length", "chunked"])
@pytest.mark.parametrize("path", [OTLP, INGESTION, "/api/public/traces"])
def test_gzip_bomb_is_refused(api, path, is_chunked):
    bomb = gzip.compress(b" " * (120 << 20))
    content = in_pieces(bomb) if is_chunked else bomb
    answer = api.post(path, content=content, headers={**JSON, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLargeError")


def test_large_json_batch(api):
    """The Python SDK sends up to 64 MiB."""
    trace_id = new_trace()
    body = as_json(trace_id, size=(64 << 20) - 2000)
    assert 63 << 20 < len(body) <= 64 << 20
    assert api.post(OTLP, content=body, headers=JSON, timeout=120).status_code == 200
    assert_stored(api, trace_id)


def test_large_protobuf_batch(api):
    trace_id = new_trace()
    body = gzip.compress(as_protobuf(export(trace_id, size=(64 << 20) - 2000)), 1)
    answer = api.post(OTLP, content=body, headers={**PROTOBUF, "Content-Encoding": "gzip"}, timeout=120)
    assert answer.status_code == 200
    assert_stored(api, trace_id)


def test_hundreds_of_requests_on_one_connection(server):
    with httpx.Client(base_url=server.url, auth=server.auth, limits=httpx.Limits(max_connections=1), timeout=60) as api:
        trace_ids = [new_trace() for _ in range(200)]
        connections = set()
        for number, trace_id in enumerate(trace_ids):
            answer = api.post(OTLP, content=as_json(trace_id), headers=JSON)
            assert answer.status_code == 200
            connections.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            if number % 10 == 0:
                assert api.get("/api/public/projects").status_code == 200
                assert api.get("/api/public/nothing").status_code == 404
                assert api.options("/api/public/traces").status_code == 204
        assert len(connections) == 1
        assert_stored(api, *trace_ids[::20], trace_ids[-1])


def test_many_small_requests_over_sixteen_connections(server, api):
    trace_ids = [new_trace() for _ in range(2000)]

    def send(some: list[str]) -> list[int]:
        with server.client(timeout_seconds=60) as own:
            return [own.post(OTLP, content=as_json(each), headers=JSON).status_code for each in some]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, [trace_ids[at::16] for at in range(16)]))
    assert [status for each in answers for status in each] == [200] * 2000
    assert_stored(api, *trace_ids[::100], trace_ids[-1])


def connection(server: Instance) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def head(server: Instance, *lines: str, verb: str = "POST", path: str = OTLP, version: str = "1.1") -> bytes:
    key = base64.b64encode(":".join(server.auth).encode()).decode()
    given = [f"{verb} {path} HTTP/{version}", f"Authorization: Basic {key}", "Connection: close", *lines]
    return "\r\n".join([*given, "", ""]).encode()


def read_all(opened: socket.socket) -> bytes:
    answer = b""
    while part := opened.recv(65536):
        answer += part
    return answer


def test_senders_come_before_all_that_can_wait(server):
    others = [_how_nice(server, name) for name in ("analytics", "worker") if server.part(name)]
    assert _how_nice(server, "web") == 0
    assert all(weight > 0 for weight in others)


def _how_nice(server: Instance, part: str) -> int:
    """As the scheduler weighs it: a session where it groups by sessions, a process elsewhere."""
    process = server.part(part)[0]
    try:
        return int(Path(f"/proc/{process.pid}/autogroup").read_text().split()[-1])
    except OSError:
        return int(process.nice())


def test_slow_sender(server, api):
    trace_id = new_trace()
    body = as_json(trace_id)
    with connection(server) as opened:
        opened.sendall(head(server, "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"))
        for piece in in_pieces(body, len(body) // 8):
            opened.sendall(piece)
            time.sleep(0.1)
        assert read_all(opened).startswith(b"HTTP/1.1 200 ")
    assert_stored(api, trace_id)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with length", "chunked"])
def test_client_that_hangs_up(server, api, is_chunked):
    """What came is a whole export in protobuf: only the missing rest tells that it is not all."""
    trace_id = new_trace()
    body = as_protobuf(export(trace_id))
    with connection(server) as opened:
        if is_chunked:
            lines = ("Host: x", "Content-Type: application/x-protobuf", "Transfer-Encoding: chunked")
            opened.sendall(head(server, *lines) + b"%x\r\n%s" % (len(body) + 50, body[:-3]))
        else:
            lines = ("Host: x", "Content-Type: application/x-protobuf", f"Content-Length: {len(body) + 50}")
            opened.sendall(head(server, *lines) + body)
    assert_not_stored(api, trace_id)


def test_expect_continue(server, api):
    """curl asks before it sends more than a mebibyte."""
    trace_id = new_trace()
    body = as_json(trace_id, size=2 << 20)
    lines = ("Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue")
    with connection(server) as opened:
        opened.sendall(head(server, *lines))
        assert opened.recv(65536).startswith(b"HTTP/1.1 100 ")
        opened.sendall(body)
        assert b"HTTP/1.1 200 " in read_all(opened)
    assert_stored(api, trace_id)


def test_http_1_0(server, api):
    trace_id = new_trace()
    body = as_json(trace_id)
    with connection(server) as opened:
        lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        opened.sendall(head(server, *lines, version="1.0") + body)
        assert read_all(opened).startswith(b"HTTP/1.0 200 ")
    assert_stored(api, trace_id)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("path", ["/api/public/health", "/api/public/projects"])
def test_monitors_that_name_no_host(server, version, path):
    with connection(server) as opened:
        opened.sendall(head(server, verb="GET", path=path, version=version))
        assert read_all(opened).startswith(f"HTTP/{version} 200 ".encode())


def test_bad_host_is_told_so_in_json(server):
    with connection(server) as opened:
        opened.sendall(head(server, "Host: a b", verb="GET", path="/api/public/projects", version="1.0"))
        status, _, rest = read_all(opened).partition(b"\r\n")
    assert status.startswith(b"HTTP/1.0 400 ")
    assert json.loads(rest.partition(b"\r\n\r\n")[2]) == {
        "message": "The request cannot be understood.",
        "error": "InvalidRequestError",
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("more", [[], ["-H", "Transfer-Encoding: chunked"], ["--http1.0"]])
def test_curl(server, api, tmp_path, more):
    trace_id = new_trace()
    (tmp_path / "body").write_bytes(as_json(trace_id, size=2 << 20))
    command = ["curl", "-s", "-o", tmp_path / "answer", "-w", "%{http_code}", "-u", ":".join(server.auth), *more]
    command += ["-H", "Content-Type: application/json", "--data-binary", f"@{tmp_path / 'body'}", server.url + OTLP]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "200"
    assert_stored(api, trace_id)


@pytest.mark.parametrize(
    "address", ["/{}", "//{}", "/{}/", "///{}//"], ids=["exact", "slash before", "slash behind", "many slashes"]
)
def test_exporters_follow_no_redirect(server, api, address):
    """A base address that ends in a slash makes two of them."""
    trace_id = new_trace()
    url = server.url + address.format(OTLP.lstrip("/"))
    answer = httpx.post(url, content=as_json(trace_id), headers=JSON, auth=server.auth, follow_redirects=False)
    assert (answer.status_code, answer.json()) == (200, {})
    assert_stored(api, trace_id)


def test_redirected_post_keeps_its_body(server, api):
    trace_id = new_trace()
    url = f"{server.url}//api/public/traces/"
    answer = httpx.post(url, json={"id": trace_id, "name": "sent"}, auth=server.auth, follow_redirects=True)
    assert [each.status_code for each in (*answer.history, answer)] == [308, 200]
    assert answer.json() == {"id": trace_id}
    eventually(lambda: assert_found(api, trace_id))


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/public/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def proxy(server: Instance) -> Iterator[str]:
    """Address of a reverse proxy before the product."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("granian")), "--interface=asgi", "--no-ws", f"--port={port}"]
    process = subprocess.Popen(
        [*command, "--log-level=error", "tests.clients.proxy:app"],
        cwd=ROOT,
        env={**os.environ, "PROXY_TARGET": server.url},
        stdin=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while not is_up(url):
            assert process.poll() is None
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("is_behind", [False, True], ids=["directly", "behind a proxy"])
@pytest.mark.parametrize("version", [1, 2], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["with length", "without length"])
def test_both_versions_of_http(server, api, request, is_behind, version, is_chunked):
    url = request.getfixturevalue("proxy") if is_behind else server.url
    trace_ids = [new_trace() for _ in range(20)]
    with httpx.Client(base_url=url, auth=server.auth, http1=version == 1, http2=version == 2, timeout=60) as client:
        for trace_id in trace_ids:
            body = as_json(trace_id, size=300_000)
            answer = client.post(OTLP, content=in_pieces(body) if is_chunked else body, headers=JSON)
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2" if version == 2 else "HTTP/1.1")
        wanted = client.get("/api/public/traces/a%2Fb%20%3F%23%25%C3%BC")
        assert (wanted.status_code, wanted.json()["error"]) == (404, "LangfuseNotFoundError")
        assert "a/b ?#%ü" in wanted.json()["message"]
        assert client.post("/api/public/traces", content=in_pieces(b'{"id":"by-http"}')).json() == {"id": "by-http"}
    assert_stored(api, *trace_ids[::5], trace_ids[-1])


def test_signed_addresses_are_those_of_the_proxy(server, proxy):
    digest = base64.b64encode(os.urandom(32)).decode()
    announced = {
        "traceId": new_trace(),
        "field": "input",
        "contentType": "image/png",
        "contentLength": 3,
        "sha256Hash": digest,
    }
    answer = httpx.post(f"{proxy}/api/public/media", json=announced, auth=server.auth)
    assert answer.status_code in (200, 201)
    assert answer.json()["uploadUrl"].startswith("https://traces.example/api/public/media/content/")


@pytest.mark.parametrize("version", [1, 2], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["with length", "without length"])
def test_files(server, version, is_chunked):
    content = os.urandom(3 << 20)
    announced = {
        "traceId": new_trace(),
        "field": "input",
        "contentType": "image/png",
        "contentLength": len(content),
        "sha256Hash": base64.b64encode(hashlib.sha256(content).digest()).decode(),
    }
    with httpx.Client(base_url=server.url, auth=server.auth, http1=version == 1, http2=version == 2) as client:
        there = client.post("/api/public/media", json=announced).json()
        body = in_pieces(content, 1 << 16) if is_chunked else content
        assert client.put(there["uploadUrl"], content=body, headers={"Content-Type": "image/png"}).status_code == 200
        url = client.get(f"/api/public/media/{there['mediaId']}").json()["url"]
        assert client.get(url).content == content
