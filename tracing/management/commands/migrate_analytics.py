"""`manage.py migrate_analytics`: bring the analytics store's tables up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.errors import Unavailable
from tracing.analytics import backends, migrate
from tracing.analytics.backends.errors import TooOld


class Command(BaseCommand):
    help = "Applies the numbered schema files of the analytics store that are not applied yet."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=float, help="seconds to wait for the server (default: 30; Doris: 300)")
        parser.add_argument(
            "--automatic", action="store_true", help="as at a start: only wait, where the settings forbid more"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            migrate.wait_for_server(options["wait"] or backends.current().STARTING_SECONDS)
            if options["automatic"] and settings.ANALYTICS_BACKEND == "doris" and settings.DORIS_MIGRATION_DISABLED:
                return
            new = migrate.apply(migrate.schema_files())
        except (Unavailable, TooOld, migrate.SchemaChanged) as error:
            raise CommandError(str(error)) from error
        for file in new:
            self.stdout.write(f"Applied {file.version:04d}_{file.name}")
        if not new and options["verbosity"] > 0:
            self.stdout.write("The analytics schema is up to date.")
