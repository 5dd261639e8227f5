"""Tests of the product once more, with PostgreSQL, Redis and buckets in place of SQLite, Valkey and folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent.parent


def run_tests(files: Sequence[str], environment: Mapping[str, str], report: Path) -> dict[str, Counter[str]]:
    """How often tests of each file passed, failed or were skipped, and the names of those that failed as further keys.
    `environment` names the stores."""
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, "-o", "junit_family=xunit1", *files],
        cwd=ROOT,
        env={**os.environ, "SPANWISE_TEST_STORES": json.dumps(environment)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if not report.exists():
        raise RuntimeError(done.stdout[-4000:])
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = {child.tag for child in case} & {"failure", "error", "skipped"}
        of_file = found[str(case.get("file"))]
        of_file[" ".join(sorted(outcome)) or "passed"] += 1
        if outcome - {"skipped"}:
            of_file[f"{case.get('name')}: {_first_words(case)}"] += 1
    return found


def _first_words(case: ElementTree.Element) -> str:
    return next((str(child.get("message")) for child in case if child.tag in ("failure", "error")), "")[:300]
