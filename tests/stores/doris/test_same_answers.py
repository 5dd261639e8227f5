"""The product's own tests once more, with every question to the analytics store asked of both databases.

What ClickHouse's dialect gives on chDB, the dialect of Doris must give on MariaDB. Between them the files below ask
every kind of question that the product has, but for those named; the last test makes sure of that.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.stores.mariadb import MariaDB, mariadb

ROOT = Path(__file__).resolve().parents[3]

FILES = (
    "tests/stores/doris/demo_twice.py",
    "tests/evals/test_dataset_pages.py",
    "tests/evals/test_experiment_pages.py",
    "tests/evals/test_experiment_runs.py",
    "tests/evals/test_judging_rules.py",
    "tests/evals/test_queues_pages.py",
    "tests/evals/test_scores_pages.py",
    "tests/tracing/test_api_reads.py",
    "tests/tracing/test_dashboard_figures.py",
    "tests/tracing/test_dashboard_releases.py",
    "tests/tracing/test_deletion.py",
    "tests/tracing/test_explorer_lists.py",
    "tests/tracing/test_pages_palette.py",
    "tests/tracing/test_pages_people.py",
    "tests/tracing/test_pages_trace_data.py",
    "tests/tracing/test_queries_cost.py",
    "tests/tracing/test_recompute.py",
)

#: Questions that are not compared here, and why.
EXEMPT = {
    "explorer-occurrences": "reads versions of rows, of which Doris has one each",
}
#: Kinds of questions that the files above are not known to ask to the last. Whatever is new belongs into one of them.
NOT_ALWAYS_ASKED = {
    "commented", "correction", "daily", "daily-count", "daily-usage", "delete-project", "delete-score",
    "delete-scores", "environments", "experiment-items", "experiment-scores", "experiment-trace-io",
    "explorer-bare-traces", "explorer-look", "explorer-words", "export-scores", "ingest-place", "judge-count",
    "judge-match", "judge-rest", "judge-samples", "judge-selected", "judge-session", "judge-session-roots",
    "judge-stored", "metrics-span", "prompt-scores", "prompt-uses", "prompt-versions", "queue-object",
    "queue-objects", "queue-sessions", "recent-events", "session-known", "session-roots", "session-steps",
    "session-turn", "session-turn-number", "session-turns", "session-whole-turn", "tags", "tool-spans",
    "trace-export", "trace-export-scores", "user-scores",
}  # fmt: skip


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaDB]:
    server = mariadb()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def asked() -> set[str]:
    """Tags of the questions that the tests of this module asked so far."""
    return set()


@pytest.mark.parametrize("file", FILES)
def test_the_same_answers(file: str, maria: MariaDB, asked: set[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    environment = {"SPANWISE_TEST_MARIADB": str(maria.port), "SPANWISE_TEST_REPORT": str(report)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.stores.doris.asked_twice",
        "-p",
        "no:xdist",
        "-p",
        "no:randomly",
        file,
    ]
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    # Whether they pass is their own matter, and asked elsewhere: what waits for so long may miss a deadline.
    assert ran.returncode in (0, 1), ran.stdout[-4000:] + ran.stderr[-2000:]
    found = orjson.loads(report.read_bytes())
    asked.update(found["tags"])
    assert found["tags"]
    assert found["differences"] == []


def test_every_kind_of_question_was_asked(asked: set[str]) -> None:
    if len(asked) < 40:
        pytest.skip("looks at what the other tests of this module asked, all of which must run before it")
    unasked = {tag for tag in tags_of_the_product() if not any(re.fullmatch(tag, one) for one in asked)}
    assert unasked <= {re.escape(tag) for tag in (*EXEMPT, *NOT_ALWAYS_ASKED)}


def tags_of_the_product() -> Iterator[str]:
    """What queries call themselves, as patterns."""
    for room in ("tracing", "evals", "prompts"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "tag":
                    yield from _pattern(node.value)


def _pattern(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        yield re.escape(str(value.value))
    if isinstance(value, ast.JoinedStr):
        parts = (re.escape(str(one.value)) if isinstance(one, ast.Constant) else ".+" for one in value.values)
        yield "".join(parts)
