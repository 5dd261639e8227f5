"""A PostgreSQL of the test run's own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from config.ports import free_port
from tests.stores.programs import Server, program

_PASSWORD = "p@ss/word"  # one that must be quoted in an address
#: PostgreSQL refuses to run as root; its package made this user
_UNPRIVILEGED = "postgres"
#: A test run may lose its databases in a power cut, and makes hundreds of transactions. Plans are asked for by what is
#: thought of a table that nobody has looked at, not by when the autovacuum came by.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "unix_socket_directories": "",
}


@dataclass
class Postgres:
    folder: Path
    port: int
    server: Server

    @property
    def url(self) -> str:
        return f"postgresql://postgres:p%40ss%2Fword@127.0.0.1:{self.port}/postgres"

    def make_database(self, name: str) -> str:
        """An empty database and its address."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url.removesuffix("postgres") + name

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        """Ends it for good."""
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def postgres() -> Postgres:
    """Made, not started. Skips the test where the program is missing."""
    initdb = program("initdb", package="postgresql")
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="spanwise-postgres-"))  # pytest's folders are closed to other users
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    password_file = folder / "password"
    password_file.write_text(_PASSWORD)
    password_file.chmod(0o644)
    data = folder / "data"
    command = [initdb, "--username=postgres", f"--pwfile={password_file}", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run(
        [*command, "--encoding=UTF8", "--locale=C.UTF-8", str(data)],
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    port = free_port()
    options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    command = [program("postgres", package="postgresql"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1"]
    found = Postgres(folder, port, Server([*command, *options], folder, lambda: False, user=user))
    found.server.ends_by = signal.SIGINT  # as `pg_ctl restart` does; SIGTERM waits until all clients have left
    found.server.is_ready = lambda: _answers(found.url)
    return found


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False
