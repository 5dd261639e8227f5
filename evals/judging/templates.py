"""The gallery: judges and code to begin with, from templates.json beside this module.

A text is kept there as a list of its lines, so that changes to it can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import NotFound

_FILE = Path(__file__).with_name("templates.json")

#: in the order in which the gallery shows them
CATEGORIES: dict[str, str | Promise] = {
    "quality": gettext_lazy("Quality"),
    "retrieval": gettext_lazy("Retrieval"),
    "safety": gettext_lazy("Safety"),
    "agents": gettext_lazy("Agents"),
    "conversation": gettext_lazy("Conversation"),
    "format": gettext_lazy("Format"),
    "code": gettext_lazy("Code"),
}


@dataclass(frozen=True, slots=True)
class Template:
    """A judge as it is begun with, or code, which has a source and no messages. `output` is as versions of evaluators
    keep it, `mapping` a list of {variable, source, jsonPath, isOptional}; `not_for` says when another one is better."""

    key: str
    title: str
    purpose: str
    category: str
    target: str
    output: dict[str, Any]
    messages: list[dict[str, str]]
    mapping: list[dict[str, Any]]
    not_for: str
    source_code: str = ""

    @property
    def category_title(self) -> str:
        return str(CATEGORIES[self.category])


@cache
def templates() -> tuple[Template, ...]:
    """All, those of one category beside each other."""
    order = list(CATEGORIES)
    found = [_read(given) for given in orjson.loads(_FILE.read_bytes())]
    return tuple(sorted(found, key=lambda one: order.index(one.category)))


def get_template(key: str) -> Template:
    """Raises NotFound."""
    found = next((one for one in templates() if one.key == key), None)
    if found is None:
        raise NotFound(_("The gallery has no such judge."))
    return found


def _read(given: dict[str, Any]) -> Template:
    return Template(
        key=given["key"],
        title=given["title"],
        purpose=given["purpose"],
        category=given["category"],
        target=given["target"],
        output=given.get("output", {}),
        messages=[{"role": one["role"], "content": "\n".join(one["lines"])} for one in given.get("messages", ())],
        mapping=given.get("mapping", []),
        not_for=given["notFor"],
        source_code="\n".join(given["source"]) + "\n" if "source" in given else "",
    )
