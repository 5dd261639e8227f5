"""Code that runs in a process of its own, with the settings of a production store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
#: names that would lead to other stores
_FOREIGN = ("REDIS_", "DATABASE_URL", "LANGFUSE_", "CLICKHOUSE_", "DORIS_")


def told_by(code: str, environment: Mapping[str, str]) -> Any:
    """What the code prints as its last line, which is JSON. It runs within Django. Raises RuntimeError."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    setup = "import django, json; django.setup()\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + code],
        cwd=ROOT,
        env={**inherited, "DJANGO_SETTINGS_MODULE": "config.settings", **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])
