"""A Redis with a password and TLS, and Sentinels that watch it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import redis

from config.ports import free_port
from tests.stores.certificates import Certificates
from tests.stores.programs import Server, program

PASSWORD = "p@ss/word#1"  # one that must be quoted in an address
_TLS = (
    "tls-port {port}\ntls-cert-file {server}\ntls-key-file {key}\n"
    "tls-ca-cert-file {authority}\ntls-auth-clients {who}\n"
)
_COMMON = 'bind 127.0.0.1\nport 0\ndir "{folder}"\nloglevel warning\ntls-replication yes\n'


@dataclass
class RedisServer:
    port: int
    certificates: Certificates
    server: Server
    #: whether it only listens to clients that show a certificate
    wants_certificates: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """As Langfuse's compose file names it."""
        shown = {"REDIS_TLS_CERT": str(self.certificates.client), "REDIS_TLS_KEY": str(self.certificates.client_key)}
        return {
            "REDIS_HOST": "localhost",
            "REDIS_PORT": str(self.port),
            "REDIS_AUTH": PASSWORD,
            "REDIS_TLS_ENABLED": "true",
            "REDIS_TLS_CA": str(self.certificates.authority),
            **(shown if self.wants_certificates else {}),
        }

    def client(self) -> redis.Redis:
        """Of the test's own."""
        return _client(self.port, self.certificates)

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()


def redis_server(
    folder: Path, certificates: Certificates, *, wants_certificates: bool = False, replica_of: int | None = None
) -> RedisServer:
    """Made, not started; what it keeps survives a restart. Skips the test where the program is missing."""
    path = program("redis-server", package="redis-server")
    folder.mkdir(parents=True)
    port = free_port()
    config = folder / "redis.conf"
    config.write_text(
        _COMMON.format(folder=folder)
        + _tls(port, certificates, wants_certificates)
        + f'requirepass "{PASSWORD}"\nmasterauth "{PASSWORD}"\nappendonly yes\nsave ""\n'
        + (f"replicaof 127.0.0.1 {replica_of}\n" if replica_of else "")
    )
    server = Server([path, str(config)], folder, lambda: _answers(_client(port, certificates)))
    return RedisServer(port, certificates, server, wants_certificates)


def sentinel(folder: Path, certificates: Certificates, *, name: str, watches: int) -> tuple[int, Server]:
    """The port and the server, not started, of one Sentinel that decides alone."""
    path = program("redis-server", package="redis-server")
    folder.mkdir(parents=True)
    port = free_port()
    config = folder / "sentinel.conf"
    config.write_text(
        _COMMON.format(folder=folder)
        + _tls(port, certificates, wants_certificates=False)
        + f"sentinel monitor {name} 127.0.0.1 {watches} 1\n"
        + f'sentinel auth-pass {name} "{PASSWORD}"\n'
        + f"sentinel down-after-milliseconds {name} 1000\nsentinel failover-timeout {name} 5000\n"
    )
    is_ready = lambda: _answers(_client(port, certificates, password=None))  # noqa: E731
    return port, Server([path, str(config), "--sentinel"], folder, is_ready)


def _tls(port: int, certificates: Certificates, wants_certificates: bool) -> str:
    return _TLS.format(
        port=port,
        server=certificates.server,
        key=certificates.server_key,
        authority=certificates.authority,
        who="yes" if wants_certificates else "no",
    )


def _client(port: int, certificates: Certificates, password: str | None = PASSWORD) -> redis.Redis:
    return redis.Redis(
        host="localhost",
        port=port,
        password=password,
        ssl=True,
        ssl_ca_certs=str(certificates.authority),
        ssl_certfile=str(certificates.client),
        ssl_keyfile=str(certificates.client_key),
        decode_responses=True,
    )


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
