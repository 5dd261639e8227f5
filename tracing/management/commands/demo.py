"""`manage.py demo`: fills a project with realistic traces through the public ingestion endpoints."""

from __future__ import annotations

import json
import logging
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.errors import SpanwiseError
from tracing.demo import drafts
from tracing.demo.draft import Draft
from tracing.demo.prompts import PROMPTS
from tracing.demo.send import Sender, Sent

#: traces that wait in a queue to be looked through
_QUEUED = 12


class Command(BaseCommand):
    help = "Fill a project with traces, prompts and experiments of an invented company, spread over the last 14 days."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--traces", type=int, default=300, help="how many traces (default: 300)")
        parser.add_argument("--seed", type=int, default=7, help="the same seed and end give the same traces")
        parser.add_argument("--until", type=datetime.fromisoformat, help="the newest trace's time (default: this hour)")
        parser.add_argument("--url", help="where Spanwise runs (default: the instance started from this data folder)")
        parser.add_argument("--public-key")
        parser.add_argument("--secret-key")

    def handle(self, *args: Any, **options: Any) -> None:
        url, public_key, secret_key = _target(options)
        until = options["until"] or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request says nothing here
        began = time.monotonic()
        try:
            with Sender(url, public_key, secret_key) as sender:
                sender.write(PROMPTS)  # first, so that what used them is linked to them
                chats: list[str] = []
                made = drafts(options["traces"], seed=options["seed"], until=until)
                sender.send(_noting(made, chats))
                sender.evaluate(until, chats[-_QUEUED:])
                sent = sender.sent
        except SpanwiseError as error:
            raise CommandError(f"{error.message} Is Spanwise running at {url}? Start it with `make run`.") from error
        self.stdout.write(_report(sent, time.monotonic() - began, url))


def _noting(made: Iterable[Draft], chats: list[str]) -> Iterator[Draft]:
    """The same, with the ids of what customers said noted down."""
    for draft in made:
        if draft.name == "support-chat":
            chats.append(draft.id)
        yield draft


def _target(options: dict[str, Any]) -> tuple[str, str, str]:
    """Where to send: what was given, else the environment of an SDK, else the first keys of this data folder."""
    first = _first_start()
    url = options["url"] or os.environ.get("LANGFUSE_BASE_URL") or os.environ.get("LANGFUSE_HOST") or _local_url()
    public_key = options["public_key"] or os.environ.get("LANGFUSE_PUBLIC_KEY") or first.get("public_key")
    secret_key = options["secret_key"] or os.environ.get("LANGFUSE_SECRET_KEY") or first.get("secret_key")
    if not public_key or not secret_key:
        raise CommandError(
            "No API keys found: start Spanwise with `make run` first, or give --public-key and --secret-key."
        )
    return url.rstrip("/"), public_key, secret_key


def _first_start() -> dict[str, str]:
    try:
        loaded = json.loads((Path(settings.DATA_DIR) / "secrets" / "first-start.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _local_url() -> str:
    try:
        facts = json.loads((Path(settings.DATA_DIR) / "run" / "services.json").read_text(encoding="utf-8"))
        return f"http://localhost:{int(facts['port'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"http://localhost:{settings.PORT}"


def _report(sent: Sent, seconds: float, url: str) -> str:
    return (
        f"Wrote {sent.prompts:,} versions of prompts and {sent.experiments:,} experiments over a dataset.\n"
        f"Sent {sent.traces:,} traces with {sent.spans:,} observations and {sent.scores:,} scores "
        f"({sent.bytes / 1e6:.1f} MB in {sent.requests:,} requests) in {seconds:.1f} s.\nLook at them: {url}/"
    )
