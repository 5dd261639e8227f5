"""Bring the built-in models and prices in the database up to the file that ships with this version."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from tracing.pricing.builtin import sync_builtin_models


class Command(BaseCommand):
    help = "Update the built-in models and prices. Runs at every start; a project's own models are not touched."

    def handle(self, *args: Any, **options: Any) -> None:
        result = sync_builtin_models()
        if options["verbosity"]:
            self.stdout.write(f"Models: {result.created} new, {result.changed} changed, {result.removed} removed.")
