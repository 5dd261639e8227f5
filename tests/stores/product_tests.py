"""Runs tests of the product on another analytics store, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

#: From the door to the store and back, and all that merges, moves, overwrites and deletes.
WRITING = (
    "tests/tracing/test_ingest_flow.py",
    "tests/tracing/test_legacy_receive.py",
    "tests/tracing/test_scores_ingest.py",
    "tests/tracing/test_moves.py",
    "tests/tracing/test_dead_letters.py",
    "tests/tracing/test_recompute.py",
    "tests/tracing/test_deletion.py",
    "tests/tracing/test_project_deletion.py",
)
#: What Doris does otherwise, or what asks how ClickHouse does it.
NOT_ON_DORIS = (
    "tests/contract/test_metrics.py::test_too_expensive_is_refused_with_advice",  # by a setting of ClickHouse
    # Bars of Doris hold about as many values each.
    "tests/contract/test_metrics.py::test_metrics[metrics histogram]",
    "tests/contract/test_metrics.py::test_metrics[v2/metrics histogram by type]",
)


def run(files: Sequence[str], *, store: str) -> None:
    """`store` is what `SPANWISE_TEST_ANALYTICS` may be. Fails with what pytest said."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.stores.on_another", "-p", "no:xdist", "-q", *files]
    if store != "clickhouse":
        command += [f"--deselect={name}" for name in NOT_ON_DORIS]
    environment = {**os.environ, "SPANWISE_TEST_ANALYTICS": store}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
