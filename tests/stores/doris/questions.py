"""The kinds of questions that the product asks the analytics store, and the tests that ask them of both databases."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

#: Files of tests, and the kinds of questions that each is here for; most ask others as well. Whatever is new belongs to
#: the file that asks it.
FILES: dict[str, tuple[str, ...]] = {
    "tests/stores/doris/demo_twice.py": (
        "*-bounds", "*-list", "*-shown", "*-sums", "*-trend", "*-trend-bounds", "*-trends", "*-values", "daily",
        "daily-count", "daily-usage", "environments", "explorer-*", "explorer-by-*", "explorer-contents",
        "explorer-look", "explorer-occurrences", "explorer-root-contents", "explorer-rows-*", "explorer-scores",
        "explorer-snippets", "explorer-sums", "explorer-trace-snippets", "explorer-traces-of-observations",
        "export-scores", "group-scores", "has-children", "ingest-ids", "ingest-scores", "metrics", "metrics-span",
        "newest-trace", "node-scores", "observation-count", "observation-list", "observation-page", "score-bounds",
        "score-count", "score-distant-traces", "score-facet", "score-list", "score-names", "score-page",
        "score-times", "score-total", "score-traces", "score-values", "session-count", "session-list",
        "session-roots", "session-steps", "session-turn-number", "session-turns", "sums-below", "trace-cost",
        "trace-count", "trace-entries", "trace-list", "trace-nodes", "trace-observation", "trace-page",
        "trace-root-contents", "trace-score-ids", "trace-skeleton", "trace-sums", "trace-totals", "trace-tree-scores",
    ),
    "tests/stores/doris/queries_twice.py": (
        "commented", "delete-scores", "ingest-observations", "ingest-place", "ingest-traces", "judge-count",
        "judge-match", "judge-observation", "judge-rest", "judge-root", "judge-samples", "judge-selected",
        "judge-session", "judge-session-roots", "judge-stored", "judge-trace", "observation", "queue-object",
        "queue-objects", "queue-sessions", "recent-events", "session-known", "session-turn", "session-whole-turn",
        "tags", "tool-spans", "trace", "trace-export", "trace-export-scores", "user-scores",
    ),
    "tests/contract/test_experiments.py": (
        "experiment-item-scores", "experiment-items", "experiment-scores", "experiment-trace-io", "experiment-traces",
    ),
    "tests/contract/test_scores.py": ("delete-score", "observations-of-trace", "score", "trace-scores"),
    "tests/contract/test_sessions.py": ("session",),
    "tests/evals/test_experiment_pages.py": (
        "experiment-list-costs", "experiment-list-run-scores", "experiment-list-scores", "experiment-measures",
        "experiment-texts", "experiment-trace-texts", "runs-of-item",
    ),
    "tests/evals/test_scores_pages.py": ("score-ids",),
    "tests/prompts/test_prompt_pages.py": (
        "named-*", "named-observation", "named-trace", "prompt-scores", "prompt-uses", "prompt-versions",
    ),
    "tests/tracing/test_dashboard_figures.py": ("dashboard-oldest", "metadata-keys"),
    "tests/tracing/test_dashboard_releases.py": ("dashboard-marks",),
    "tests/tracing/test_deletion.py": (
        "delete-observations", "delete-observations-count", "delete-traces", "delete-traces-count", "delete-user",
        "explorer-count",
    ),
    "tests/tracing/test_explorer_lists.py": (
        "*-score-values", "explorer-bare-traces", "explorer-facets-*", "explorer-first", "explorer-metadata",
        "explorer-pulse", "explorer-pulse-*", "explorer-ranges-*", "explorer-score-names", "explorer-score-range",
        "explorer-score-values", "explorer-words",
    ),
    "tests/tracing/test_moves.py": ("ingest-moved",),
    "tests/tracing/test_pages_acting.py": ("annotate", "correction", "trace-find"),
    "tests/tracing/test_pages_trace_data.py": ("trace-graph", "trace-log"),
    "tests/tracing/test_project_deletion.py": ("delete-project",),
    "tests/tracing/test_queries_cost.py": ("observed-models",),
    "tests/tracing/test_recompute.py": ("reprice", "reprice-rows", "reprice-sample", "reprice-sizes"),
}  # fmt: skip


def of_the_product() -> set[str]:
    """What queries call themselves, with a star for what is put in when they run."""
    return {
        kind
        for room in ("tracing", "evals", "prompts")
        for path in (ROOT / room).rglob("*.py")
        for kind in _kinds_in(path)
    }


def _kinds_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.keyword) or node.arg != "tag":
            continue
        if isinstance(node.value, ast.Constant):
            yield str(node.value.value)
        elif isinstance(node.value, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "*" for one in node.value.values)
