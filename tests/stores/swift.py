"""A server that speaks S3 and checks signatures: OpenStack Swift with one node, without what copies and audits."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from config.ports import free_port
from tests.stores.programs import Server, program

_KEY, _SECRET = "test:tester", "testing-secret"
_PARTS = ("account", "container", "object")
#: Swift reads one file from /etc, wherever its other files are.
_LAUNCHER = """
import sys
from pathlib import Path
from swift.common import utils
utils.SWIFT_CONF_FILE = str(Path(sys.argv[2]).with_name("swift.conf"))
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(sys.argv[2], sys.argv[1], verbose=True))
"""
_COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
log_name = {name}
log_address = {folder}/no-syslog
"""
_STORE = """[pipeline:main]
pipeline = {name}-server

[app:{name}-server]
use = egg:swift#{name}
"""
_PROXY = """[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth copy slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing-secret .admin

[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
# Wanted for tokens, which S3 has none of; nobody listens there.
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
"""


@dataclass
class Swift:
    port: int
    servers: list[Server] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_until_ready()

    def stop(self) -> None:
        for server in reversed(self.servers):
            server.stop()

    def client(self) -> Any:
        """boto3's own."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=_KEY,
            aws_secret_access_key=_SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )

    def environment(self, kind: str, bucket: str, prefix: str = "") -> dict[str, str]:
        """Settings of a bucket: `kind` is EVENT or MEDIA."""
        values = {
            "BUCKET": bucket,
            "PREFIX": prefix,
            "REGION": "us-east-1",
            "ENDPOINT": self.endpoint,
            "ACCESS_KEY_ID": _KEY,
            "SECRET_ACCESS_KEY": _SECRET,
            "FORCE_PATH_STYLE": "true",
        }
        return {f"LANGFUSE_S3_{kind}_UPLOAD_{name}": value for name, value in values.items()}


def swift(folder: Path) -> Swift:
    """Made, not started; what it keeps survives a restart. Skips the test where the programs are missing."""
    for name in (*_PARTS, "proxy"):
        program(f"swift-{name}-server", package="swift swift-proxy swift-object swift-container swift-account")
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n")
    (folder / "launcher.py").write_text(_LAUNCHER)
    (folder / "internal.conf").write_text("")
    found = Swift(free_port())
    for name in _PARTS:
        port = free_port()
        _make_ring(folder, name, port)
        found.servers.append(_server(folder, name, port, _STORE))
    found.servers.append(_server(folder, "proxy", found.port, _PROXY))
    return found


def _make_ring(folder: Path, name: str, port: int) -> None:
    builder = str(folder / f"{name}.builder")
    for arguments in (
        ["create", "4", "1", "0"],
        ["add", f"r1z1-127.0.0.1:{port}/disk", "1"],
        ["rebalance"],
    ):
        subprocess.run(["swift-ring-builder", builder, *arguments], check=True, stdout=subprocess.DEVNULL)


def _server(folder: Path, name: str, port: int, sections: str) -> Server:
    own = folder / name
    own.mkdir()
    config = folder / f"{name}.conf"
    config.write_text(
        _COMMON.format(port=port, folder=folder, name=name, user=_own_name()) + "\n" + sections.format(name=name)
    )
    python = shutil.which("python3", path="/usr/bin") or "/usr/bin/python3"  # Debian's, which has Swift
    command = [python, str(folder / "launcher.py"), f"{name}-server", str(config)]
    # the environment of the tests is of another Python
    return Server(command, own, lambda: _answers(port), environment={"PYTHONPATH": "", "PYTHONHOME": ""})


def _own_name() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def _answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/healthcheck", timeout=2).status_code > 0
    return False
