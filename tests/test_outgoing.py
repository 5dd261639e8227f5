"""Requests to addresses that people typed reach nothing that only we can reach."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from config import outgoing
from config.outgoing import (
    AddressRefused,
    CutOff,
    HostNotFound,
    Limits,
    Purpose,
    TimedOut,
    TooMuch,
    addresses_for,
    check_url,
    is_ordinary,
)

SPECIAL = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", SPECIAL)
def test_special_addresses_are_none_to_go_to(text):
    assert not is_ordinary(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are(text):
    assert is_ordinary(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0"],
)
def test_other_spellings_of_this_machine(host):
    with pytest.raises((AddressRefused, HostNotFound)):
        addresses_for(Purpose.LLM, host, 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]:8000/",
        "http://[::ffff:127.0.0.1]/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://user:password@example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "example.com",
        "http://",
        "http:///path",
        "http://[::1/",
        "http://exa mple.com/\r\nHost: x",
        "",
        "http://1.1.1.1:6379/",
        "https://8.8.8.8:25/",
    ],
)
def test_addresses_that_are_refused_when_they_are_typed(url):
    with pytest.raises(AddressRefused) as raised:
        check_url(Purpose.LLM, url)
    assert raised.value.message


@pytest.mark.parametrize("url", ["https://1.1.1.1/v1", "http://8.8.8.8:8000/", "https://no-such-host.invalid/v1"])
def test_addresses_that_are_taken(url):
    check_url(Purpose.LLM, url)


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "is_open"),
    [
        ("localhost", "localhost", "127.0.0.1", 11434, True),
        ("localhost", "127.0.0.1", "127.0.0.1", 80, True),
        ("localhost", "localhost", "::1", 80, True),
        ("localhost", "other", "10.0.0.1", 80, False),
        ("localhost:11434", "localhost", "127.0.0.1", 11434, True),
        ("localhost:11434", "localhost", "127.0.0.1", 6379, False),
        ("ollama", "ollama", "172.18.0.4", 11434, True),
        ("ollama", "ollama.evil.example", "172.18.0.4", 11434, False),
        ("Ollama:11434", "ollama", "172.18.0.4", 11434, True),
        ("*.lan", "llm.lan", "10.0.0.4", 80, True),
        ("*.lan", "lan", "10.0.0.4", 80, False),
        ("*.lan", "evillan", "10.0.0.4", 80, False),
        ("10.0.0.0/8", "anything", "10.9.9.9", 80, True),
        ("10.0.0.0/8", "anything", "11.9.9.9", 80, True),
        ("10.0.0.0/8", "anything", "192.168.0.1", 80, False),
        ("10.0.0.0/8", "anything", "::ffff:10.1.1.1", 80, True),
        ("10.1.2.3:8000", "anything", "10.1.2.3", 8000, True),
        ("10.1.2.3:8000", "anything", "10.1.2.3", 8001, False),
        ("fd00::/8", "anything", "fd00::7", 80, True),
        ("[fd00::1]:8000", "anything", "fd00::1", 8000, True),
        ("[fd00::1]:8000", "anything", "fd00::1", 80, False),
        ("10.0.0.0/33", "anything", "10.0.0.1", 80, False),
        ("", "anything", "10.0.0.1", 80, False),
        ("mail.example", "mail.example", "93.184.215.14", 25, True),
    ],
)
def test_what_an_entry_of_the_settings_opens(settings, monkeypatch, entry, host, address, port, is_open):
    settings.OUTGOING_ALLOWED = {"llm": [entry], "webhook": []}
    answers_dns(monkeypatch, [address])
    assert can_reach(Purpose.LLM, host, port) is is_open
    assert can_reach(Purpose.WEBHOOK, host, port) is (is_ordinary(ipaddress.ip_address(address)) and port != 25)


def can_reach(purpose, host, port):
    try:
        return bool(addresses_for(purpose, host, port))
    except AddressRefused:
        return False


def answers_dns(monkeypatch, *answers):
    """What the resolver says, once and then again and again."""
    rest = list(answers)

    def getaddrinfo(host, port, *args, **kwargs):
        texts = rest.pop(0) if len(rest) > 1 else rest[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in texts]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", getaddrinfo)


def test_of_several_addresses_the_allowed_ones_are_taken(monkeypatch):
    answers_dns(monkeypatch, ["10.0.0.1", "8.8.8.8", "::1"])
    assert addresses_for(Purpose.LLM, "two-faced.example", 443) == ["8.8.8.8"]


# --- Over the wire ---------------------------------------------------------------------------------------
class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.seen.append(self.path)
        getattr(self, "do_" + self.path.strip("/").partition("?")[0])()

    def _head(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def do_plain(self):
        self._head(Content_Length="2")
        self.wfile.write(b"ok")

    def do_large(self):
        self._head(Content_Length="100000")
        self.wfile.write(b"x" * 100_000)

    def do_bomb(self):
        body = gzip.compress(b"\0" * 50_000_000)
        self._head(Content_Length=str(len(body)), Content_Encoding="gzip")
        self.wfile.write(body)

    def do_packed(self):
        body = gzip.compress(b"packed" * 1000)
        self._head(Content_Length=str(len(body)), Content_Encoding="gzip")
        self.wfile.write(body)

    def do_endless(self):
        self._head(Transfer_Encoding="chunked")
        while True:
            self._drip(b"1\r\nx\r\n")

    def do_slow_head(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self._drip(b"X-More: 1\r\n")

    def _drip(self, piece):
        if self.server.is_over.wait(0.05):
            raise ConnectionError
        self.wfile.write(piece)

    def do_cut(self):
        self._head(Content_Length="100")
        self.wfile.write(b"half")
        self.close_connection = True

    def do_away(self):
        self._head(302, Location=self.server.leads_to, Content_Length="0")


@pytest.fixture
def server(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    server.seen, server.is_over, server.leads_to = [], threading.Event(), ""
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    settings.OUTGOING_ALLOWED = {"llm": [f"localhost:{server.server_address[1]}"], "webhook": []}
    yield server
    server.is_over.set()
    server.shutdown()
    server.server_close()


def get(url, *, limits=None, purpose=Purpose.LLM, **more):
    limits = limits or Limits()
    with outgoing.client(purpose, limits, **more) as client, client.stream("GET", url) as response:
        return response.status_code, outgoing.body_of(response, limits.most_bytes)


def test_what_is_open_answers(server):
    assert get(f"{server.url}/plain") == (200, b"ok")
    assert get(f"{server.url}/packed") == (200, b"packed" * 1000)


def test_what_is_open_for_one_purpose_is_closed_for_another(server):
    with pytest.raises(AddressRefused):
        get(f"{server.url}/plain", purpose=Purpose.WEBHOOK)
    assert server.seen == []


def test_dns_that_changes_its_mind_changes_nothing(server, settings, monkeypatch):
    """A public address for the check and a private one for the connection: there is but one question."""
    settings.OUTGOING_ALLOWED = {"llm": [], "webhook": []}
    port = server.server_address[1]
    answers_dns(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    check_url(Purpose.LLM, f"http://rebinding.example:{port}/plain")
    with pytest.raises(AddressRefused):
        get(f"http://rebinding.example:{port}/plain")
    assert server.seen == []


def test_the_connection_goes_to_the_address_that_was_checked(server, settings, monkeypatch):
    connected = []
    monkeypatch.setattr(
        outgoing.httpcore.SyncBackend,
        "connect_tcp",
        lambda self, host, *args, **kwargs: connected.append(host) or _refuse(),
    )
    answers_dns(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    with pytest.raises(outgoing.ConnectionFailed):
        get("http://rebinding.example/")
    assert connected == ["8.8.8.8"]


def _refuse():
    raise outgoing.httpcore.ConnectError("no")


@pytest.mark.parametrize("leads_to", ["http://127.0.0.1:1/", "http://169.254.169.254/latest/", "http://[::1]:1/"])
def test_redirects_are_checked_like_all_else(server, leads_to):
    server.leads_to = leads_to
    with pytest.raises(AddressRefused):
        get(f"{server.url}/away", redirects=3)


def test_redirects_to_what_is_no_web_address(server):
    server.leads_to = "file:///etc/passwd"
    with pytest.raises((AddressRefused, httpx.UnsupportedProtocol)):
        get(f"{server.url}/away", redirects=3)


def test_redirects_are_followed_only_as_often_as_is_said(server):
    assert get(f"{server.url}/away")[0] == 302
    server.leads_to = f"{server.url}/plain"
    assert get(f"{server.url}/away", redirects=1) == (200, b"ok")
    server.leads_to = f"{server.url}/away"
    with pytest.raises(httpx.TooManyRedirects):
        get(f"{server.url}/away", redirects=2)


def test_proxies_of_the_environment_are_not_asked(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(f"{server.url}/plain") == (200, b"ok")


@pytest.mark.parametrize("path", ["large", "bomb"])
def test_answers_that_are_too_large(server, path):
    with pytest.raises(TooMuch):
        get(f"{server.url}/{path}", limits=Limits(most_bytes=50_000))


@pytest.mark.parametrize("path", ["endless", "slow_head"])
def test_answers_that_never_end(server, path):
    with pytest.raises(TimedOut):
        get(f"{server.url}/{path}", limits=Limits(total_seconds=0.4))


def test_answers_that_break_off(server):
    with pytest.raises(CutOff):
        get(f"{server.url}/cut")


def test_the_start_of_any_answer_can_be_kept(server):
    for path, start in (("bomb", b"\0" * 10), ("cut", b"half"), ("plain", b"ok")):
        with outgoing.client(Purpose.LLM) as client, client.stream("GET", f"{server.url}/{path}") as response:
            assert outgoing.start_of(response, 10) == start


class Enough(Exception):
    pass


def test_whoever_waits_can_be_told_to_stop(server):
    def ask():
        if server.seen:
            raise Enough

    with pytest.raises(Enough):
        get(f"{server.url}/endless", ask=ask)


def test_hosts_that_are_not_there(server):
    with pytest.raises(HostNotFound):
        get("http://no-such-host.invalid/")
    with pytest.raises(AddressRefused):
        get("http://127.0.0.1:1/")
