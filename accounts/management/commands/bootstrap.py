"""Makes the first account, organization, project and keys; run at every start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.bootstrap import ensure_first_account


class Command(BaseCommand):
    help = (
        "Creates the first account, organization, project and keys, or those of LANGFUSE_INIT_*. Changes nothing else."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        first = ensure_first_account()
        if first is not None and options["verbosity"]:
            self.stdout.write(first.render())
