"""A MariaDB of the test run's own, which stands in for Apache Doris: it speaks the same protocol."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from config.ports import free_port
from tests.stores.programs import Server, program

_PACKAGE = "mariadb-server"
#: MariaDB refuses to run as root; its package made this user
_UNPRIVILEGED = "mysql"
_SETTINGS = {
    "bind-address": "127.0.0.1",
    "character-set-server": "utf8mb4",
    # Blanks at the end count, and so do cases.
    "collation-server": "utf8mb4_nopad_bin",
    "default-time-zone": "+00:00",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-buffer-pool-size": "64M",
    "max-allowed-packet": "256M",
    "sql-mode": "",
    "group-concat-max-len": "104857600",
}


@dataclass
class MariaDB:
    """Without a server program it is one that somebody else started."""

    folder: Path
    port: int
    server: Server | None = None

    def connect(self, database: str | None = None, **options: Any) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            charset="utf8mb4",
            collation="utf8mb4_nopad_bin",
            autocommit=True,
            **options,
        )

    def start(self) -> None:
        assert self.server is not None
        self.server.start()
        zones = program("mariadb-tzinfo-to-sql", package=_PACKAGE)
        statements = subprocess.run(
            [zones, "--skip-write-binlog", "/usr/share/zoneinfo"], capture_output=True, check=True
        )
        client = [program("mariadb", package="mariadb-client"), "-h127.0.0.1", f"-P{self.port}", "-uroot", "mysql"]
        subprocess.run(client, input=statements.stdout, check=True, capture_output=True)

    def stop(self) -> None:
        """Ends it for good."""
        assert self.server is not None
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def mariadb() -> MariaDB:
    """Made, not started. Skips the test where the program is missing."""
    install = program("mariadb-install-db", package=_PACKAGE)
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="spanwise-mariadb-"))  # pytest's folders are closed to other users
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, port = folder / "data", free_port()
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"],
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    command = [program("mariadbd", package=_PACKAGE), "--no-defaults", f"--datadir={data}", f"--port={port}"]
    command += [f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", *options]
    found = MariaDB(folder, port)
    found.server = Server(command, folder, lambda: _answers(found), user=user)
    return found


def _answers(server: MariaDB) -> bool:
    try:
        server.connect().close()
    except pymysql.MySQLError:
        return False
    return True
