"""What the demo company sells, what its customers ask and what its staff know: invented, in `words.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

_WORDS = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


class Product(NamedTuple):
    name: str
    sku: str
    price: float


class Topic(NamedTuple):
    name: str
    questions: list[str]
    passage: str  # what the knowledge base says
    answer: str


class Failure(NamedTuple):
    type: str
    message: str

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


PRODUCTS = [Product(**product) for product in _WORDS["products"]]
TOPICS = [Topic(**topic) for topic in _WORDS["topics"]]
#: rate limit, time-out, connection, validation
RATE_LIMIT, TIMEOUT, CONNECTION, VALIDATION = (Failure(**error) for error in _WORDS["errors"])
CITIES: list[str] = _WORDS["cities"]
CARRIERS: list[str] = _WORDS["carriers"]
RELEASES: list[str] = _WORDS["releases"]
FOLLOW_UPS: list[str] = _WORDS["follow_ups"]
SYSTEM_PROMPT: str = _WORDS["system_prompt"]
CUSTOMERS: list[str] = _WORDS["customers"]
RESEARCH: list[str] = _WORDS["research"]
FINDINGS: list[str] = _WORDS["findings"]
SUPPLIERS: list[str] = _WORDS["suppliers"]
#: by name of the tool
TOOL_ANSWERS: dict[str, str] = _WORDS["tool_answers"]
