"""`manage.py migrate_analytics`: bring the analytics store's tables up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.errors import Unavailable
from tracing.analytics import migrate


class Command(BaseCommand):
    help = "Applies the numbered schema files of the analytics store that are not applied yet."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=float, default=30, help="seconds to wait for the server (default 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            migrate.wait_for_server(options["wait"])
            new = migrate.apply(migrate.schema_files())
        except (Unavailable, migrate.SchemaChanged) as error:
            raise CommandError(str(error)) from error
        for file in new:
            self.stdout.write(f"Applied {file.version:04d}_{file.name}")
        if not new and options["verbosity"] > 0:
            self.stdout.write("The analytics schema is up to date.")
