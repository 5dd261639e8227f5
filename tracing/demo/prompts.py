"""The prompts that the demo company's traces were made with: versions in `prompts.json`, in the order in which they
were written, as `POST /api/public/v2/prompts` takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PROMPTS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("prompts.json").read_text(encoding="utf-8"))
