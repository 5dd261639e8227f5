"""`manage.py prepare`: everything a start needs done once. Safe to repeat; the supervisor runs it at every start."""

from __future__ import annotations

import fcntl
import hashlib
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from accounts.bootstrap import keep_welcome
from config.assets import PACKAGES

#: htmx's extensions are not used, and some import modules that are not there.
_UNUSED = ["django_htmx/ext/*"]
#: a container may come up before its database does
_DATABASE_SECONDS = 60.0
#: of PostgreSQL's advisory locks, one number for all of this product
_LOCK = 0x5350414E


class Command(BaseCommand):
    help = "Migrate both stores, collect assets and make the first account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--without-account", action="store_true", help="leave the first account to a web process")
        parser.add_argument("--wait", type=float, help="seconds to wait for each store")

    def handle(self, *args: Any, **options: Any) -> None:
        wait_for_database(options["wait"] or _DATABASE_SECONDS)
        with one_at_a_time():
            call_command("migrate", verbosity=0, interactive=False)
            call_command("migrate_analytics", automatic=True, verbosity=0, stdout=sys.stderr, wait=options["wait"])
            call_command("sync_models", verbosity=0)
            if not options["without_account"]:
                call_command("bootstrap", verbosity=0)
        collect_assets()
        if not options["without_account"]:
            keep_welcome()


def wait_for_database(seconds: float) -> None:
    """Containers start all at once. Raises CommandError when it does not answer in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return connection.ensure_connection()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise CommandError(f"The relational store does not answer: {error}") from error
        time.sleep(0.5)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Of several containers that start at the same time one migrates, and the others find it done. The lock is that of
    a connection of its own, so that it ends with the process, whatever becomes of the others."""
    if connection.vendor != "postgresql":  # a file of this machine, whose migrations lock it
        yield
        return
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            yield
    finally:
        own.close()


def collect_assets() -> None:
    """Run collectstatic when a source file changed since the last time: it takes seconds, a start should not."""
    folder = Path(settings.STATIC_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".stamp"
    state = _state_of_sources()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two instances of one checkout may start at the same time
        if stamp.exists() and stamp.read_text() == state:
            return
        call_command("collectstatic", verbosity=0, interactive=False, ignore_patterns=_UNUSED)
        stamp.write_text(state)


def _state_of_sources() -> str:
    digest = hashlib.sha256()
    folders = [Path(str(entry[1] if isinstance(entry, tuple) else entry)) for entry in settings.STATICFILES_DIRS]
    sources = [path for folder in folders for path in sorted(folder.rglob("*"))]
    for path in [*sources, *(PACKAGES / source for source in settings.VENDOR_FILES.values())]:
        if path.is_file():
            digest.update(f"{path}:{path.stat().st_size}:{path.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()
