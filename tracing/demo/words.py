"""What the demo company sells, what its customers ask and what its staff know: invented, in `words.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

_WORDS = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


class Product(NamedTuple):
    name: str
    sku: str
    price: float


class Exchange(NamedTuple):
    question: str
    answer: str


class Topic(NamedTuple):
    name: str
    passage: str  # what the knowledge base says
    products: list[Product]
    exchanges: list[Exchange]


class Failure(NamedTuple):
    type: str
    message: str

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


PRODUCTS = [Product(**product) for product in _WORDS["products"]]


def _topic(words: dict[str, Any]) -> Topic:
    products = [product for product in PRODUCTS if product.sku in words["skus"]]
    return Topic(words["name"], words["passage"], products or PRODUCTS, _exchanges(words["dialogues"]))


def _exchanges(words: list[dict[str, str]]) -> list[Exchange]:
    return [Exchange(**each) for each in words]


TOPICS = [_topic(topic) for topic in _WORDS["topics"]]
#: rate limit, time-out, connection, validation
RATE_LIMIT, TIMEOUT, CONNECTION, VALIDATION = (Failure(**error) for error in _WORDS["errors"])
CITIES: list[str] = _WORDS["cities"]
CARRIERS: list[str] = _WORDS["carriers"]
RELEASES: list[str] = _WORDS["releases"]
#: by language
FOLLOW_UPS = {"en-GB": _exchanges(_WORDS["follow_ups"]), "zh-CN": _exchanges(_WORDS["follow_ups_zh"])}
SYSTEM_PROMPT: str = _WORDS["system_prompt"]
CUSTOMERS: list[str] = _WORDS["customers"]
RESEARCH: list[str] = _WORDS["research"]
FINDINGS: list[str] = _WORDS["findings"]
SUPPLIERS: list[str] = _WORDS["suppliers"]
#: by name of the tool
TOOL_ANSWERS: dict[str, str] = _WORDS["tool_answers"]
