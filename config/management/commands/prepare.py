"""`manage.py prepare`: everything a start needs done once. Safe to repeat; the supervisor runs it at every start."""

from __future__ import annotations

import fcntl
import hashlib
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from accounts.bootstrap import keep_welcome
from config.assets import PACKAGES

#: htmx's extensions are not used, and some import modules that are not there.
_UNUSED = ["django_htmx/ext/*"]


class Command(BaseCommand):
    help = "Migrate both stores, collect assets and make the first account."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("migrate_analytics", automatic=True, verbosity=0, stdout=sys.stderr)
        call_command("sync_models", verbosity=0)
        call_command("bootstrap", verbosity=0)
        collect_assets()
        keep_welcome()


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
