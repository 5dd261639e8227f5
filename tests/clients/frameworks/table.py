"""What of an integration arrived, as a row of the table in docs/integrations.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.clients import environments
from tests.clients.frameworks.catalogue import INTEGRATIONS, Integration

DOCUMENT = environments.ROOT / "docs" / "integrations.md"
RESULTS = environments.ROOT / ".build" / "integrations"
BEGIN, END = "<!-- written by `make integrations` -->", "<!-- end -->"
USER, SESSION = "user-42", "session-7"
COLUMNS = (
    "Integration",
    "Versions",
    "Type",
    "Model",
    "Tokens in + out",
    "Cost",
    "Input",
    "Output",
    "User",
    "Session",
    "Tool runs",
    "First token",
    "Embeddings",
)
Row = dict[str, str]


def row_of(integration: Integration, traces: list[dict[str, Any]]) -> Row:
    observations = sorted((each for trace in traces for each in trace["observations"]), key=_start)
    call = next(each for each in observations if each["name"] == integration.call)
    usage = call["usageDetails"]
    cells = (
        integration.title,
        ", ".join(f"{name} {version}" for name, version in integration.versions().items()),
        call["type"],
        call["model"] or "",
        f"{usage.get('input', 0)} + {usage.get('output', 0)}",
        f"${call['calculatedTotalCost']:.8f}",
        form(call["input"]),
        form(call["output"]),
        _yes(all(trace["userId"] == USER for trace in traces)),
        _yes(all(trace["sessionId"] == SESSION for trace in traces)),
        _yes(any(each["type"] == "TOOL" for each in observations)),
        _yes(any(each["timeToFirstToken"] is not None for each in observations)),
        _yes(any(each["type"] == "EMBEDDING" for each in observations)),
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _start(observation: dict[str, Any]) -> str:
    return str(observation["startTime"])


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


def form(value: Any) -> str:
    """How a person reads it: as a conversation, as text, or not at all."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, list) and value and all(isinstance(item, dict) and "role" in item for item in value):
        return "messages"
    if isinstance(value, list) and value and all(isinstance(item, dict) and "toolName" in item for item in value):
        return "tool calls"
    if isinstance(value, dict) and "role" in value:
        return "message"
    if isinstance(value, dict) and form(value.get("messages")) == "messages":
        return "messages, tools"
    return "nothing" if value is None else "JSON"


def keep(key: str, row: Row) -> None:
    """For `make integrations`, which writes the table from the last run."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{key}.json").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")


def kept() -> list[Row]:
    missing = [key for key in INTEGRATIONS if not _result(key).exists()]
    if missing:
        raise SystemExit(f"Not run yet: {', '.join(missing)}. `make test-clients` runs all of them.")
    return [json.loads(_result(key).read_text(encoding="utf-8")) for key in INTEGRATIONS]


def _result(key: str) -> Path:
    return RESULTS / f"{key}.json"


def committed() -> dict[str, Row]:
    """The rows in the document by the title of their integration."""
    lines = _between(DOCUMENT.read_text(encoding="utf-8"))[1].strip().splitlines()
    header, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {cells[0]: dict(zip(header, cells, strict=True)) for cells in body}


def written(document: str, rows: list[Row]) -> str:
    before, _, after = _between(document)
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row.values() for row in rows)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _between(document: str) -> tuple[str, str, str]:
    before, _, rest = document.partition(BEGIN)
    table, _, after = rest.partition(END)
    return before, table, after
