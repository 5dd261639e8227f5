"""The product's own tests once more, with every question to the analytics store asked of both databases.

What ClickHouse's dialect gives on chDB, the dialect of Doris must give on its double. Which file asks which kind of
question stands in `questions.py`; that none is left out is held by `tests/tracing/test_doris_sql.py`.
"""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.stores.doris.questions import FILES, ROOT
from tests.stores.doris.server import DorisDouble


@pytest.mark.parametrize("file", FILES)
def test_the_same_answers(file: str, double: DorisDouble, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    plugins = ("tests.stores.doris.asked_twice", "no:xdist", "no:randomly")
    command = [sys.executable, "-m", "pytest", *(part for name in plugins for part in ("-p", name)), file]
    environment = {"SPANWISE_TEST_DOUBLE": double.ports, "SPANWISE_TEST_REPORT": str(report)}
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    # Whether they pass is their own matter, and asked elsewhere: what waits for so long may miss a deadline.
    assert ran.returncode in (0, 1), ran.stdout[-4000:] + ran.stderr[-2000:]
    found = orjson.loads(report.read_bytes())
    assert found["differences"] == []
    assert [kind for kind in FILES[file] if not fnmatch.filter(found["tags"], kind)] == []
