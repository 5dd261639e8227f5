"""How to reach the broker: one Redis or Valkey, with or without TLS, or one that Sentinels name.

`REDIS_TLS_CA` and its like, as in Langfuse's compose file, and `REDIS_TLS_CA_PATH`, as in its documentation, are one.
They are read only where `REDIS_TLS_ENABLED` is set: compose files name certificates that are not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

from config import env

_SENTINEL_PORT = 26379
#: of several Sentinels the next is asked when one says nothing
_PATIENCE = {"socket_connect_timeout": 0.5, "socket_timeout": 2}


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """`url` leads to the one server; Sentinels need none. `tls` are options of redis-py, empty without TLS."""

    url: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    tls: dict[str, Any] = field(default_factory=dict)
    #: host and port of each Sentinel, and the name of what they watch
    sentinels: list[tuple[str, int]] = field(default_factory=list)
    master_name: str = ""
    #: user and password of the Sentinels themselves
    sentinel_login: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def celery_url(self) -> str:
        if not self.sentinels:
            return self.url
        login = _login(self.username, self.password)
        return ";".join(f"sentinel://{login}{host}:{port}/0" for host, port in self.sentinels)

    @property
    def celery_transport(self) -> dict[str, Any]:
        """More options of Celery's transport."""
        if not self.sentinels:
            return {}
        return {"master_name": self.master_name, "sentinel_kwargs": self.of_sentinels}

    @property
    def of_sentinels(self) -> dict[str, Any]:
        """Options of redis-py for connections to the Sentinels themselves. They have TLS where the server has it."""
        return {**_PATIENCE, **self.sentinel_login, **self.of_watched_tls}

    @property
    def of_watched(self) -> dict[str, Any]:
        """Options of redis-py for connections to the server that Sentinels name."""
        return {**self.of_watched_tls, "username": self.username or None, "password": self.password or None}

    @property
    def of_watched_tls(self) -> dict[str, Any]:
        return {"ssl": True, **self.tls} if self.tls else {}

    @property
    def cache_location(self) -> str:
        """For django-redis."""
        return f"redis://{self.master_name}/0" if self.sentinels else self.url

    @property
    def cache_options(self) -> dict[str, Any]:
        """More options of django-redis."""
        if not self.sentinels:
            return {"CONNECTION_POOL_KWARGS": self.tls}
        return {
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            # It would take the name from the address, in small letters.
            "CONNECTION_POOL_KWARGS": {**self.of_watched, "service_name": self.master_name},
            "SENTINELS": self.sentinels,
            "SENTINEL_KWARGS": self.of_sentinels,
        }


def redis_options(local: dict[str, Any]) -> RedisOptions:
    """From the environment; `local` has what the supervisor started. Raises ImproperlyConfigured."""
    if env.flag("REDIS_CLUSTER_ENABLED"):
        raise ImproperlyConfigured(
            "REDIS_CLUSTER_ENABLED: Celery, which hands out work here, cannot use a Redis Cluster. "
            "Name one server with REDIS_HOST, or Sentinels with REDIS_SENTINEL_ENABLED and REDIS_SENTINEL_NODES."
        )
    password = env.text("REDIS_AUTH") or local.get("redis_auth", "")
    username = env.text("REDIS_USERNAME")
    tls = _tls()
    scheme = "rediss" if tls else "redis"
    host = env.text("REDIS_HOST") or local.get("redis_host", "127.0.0.1")
    port = env.number("REDIS_PORT", local.get("redis_port", 6379))
    url = env.text("REDIS_CONNECTION_STRING") or f"{scheme}://{_login(username, password)}{host}:{port}/0"
    if not env.flag("REDIS_SENTINEL_ENABLED"):
        if tls and url.startswith("redis:"):
            url = f"rediss:{url.removeprefix('redis:')}"
        # An address may ask for TLS by itself.
        return RedisOptions(url, username, password, tls or (_certificates() if url.startswith("rediss:") else {}))
    sentinels = [_node(node) for node in env.words("REDIS_SENTINEL_NODES")]
    master_name = env.text("REDIS_SENTINEL_MASTER_NAME")
    if not sentinels or not master_name:
        raise ImproperlyConfigured(
            "REDIS_SENTINEL_ENABLED needs REDIS_SENTINEL_NODES (host:port, …) and REDIS_SENTINEL_MASTER_NAME."
        )
    login = {"username": env.text("REDIS_SENTINEL_USERNAME"), "password": env.text("REDIS_SENTINEL_PASSWORD")}
    given = {name: value for name, value in login.items() if value}
    return RedisOptions(url, username, password, tls, sentinels, master_name, given)


def _login(username: str, password: str) -> str:
    return f"{quote(username, safe='')}:{quote(password, safe='')}@" if username or password else ""


def _node(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host:
        return text, _SENTINEL_PORT
    if not port.isdigit():
        raise ImproperlyConfigured(f"REDIS_SENTINEL_NODES: {text!r} is not host:port")
    return host.strip("[]"), int(port)


def _tls() -> dict[str, Any]:
    return _certificates() if env.flag("REDIS_TLS_ENABLED") else {}


def _certificates() -> dict[str, Any]:
    is_checked = env.flag("REDIS_TLS_REJECT_UNAUTHORIZED", default=True)
    files = {
        "ssl_ca_certs": _file("REDIS_TLS_CA"),
        "ssl_certfile": _file("REDIS_TLS_CERT"),
        "ssl_keyfile": _file("REDIS_TLS_KEY"),
        "ssl_password": env.text("REDIS_TLS_KEY_PASSPHRASE"),
    }
    return {
        "ssl_cert_reqs": "required" if is_checked else "none",
        "ssl_check_hostname": is_checked and env.flag("REDIS_TLS_CHECK_SERVER_IDENTITY", default=True),
        **{name: value for name, value in files.items() if value},
    }


def _file(name: str) -> str:
    """A path; `-` stands for none, as in the documentation of Langfuse on Doris."""
    path = env.text(f"{name}_PATH") or env.text(name)
    return "" if path == "-" else path
