"""What people type about datasets and items, kept until it can be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.http import QueryDict
from django.utils.translation import gettext as _

from config.errors import Invalid, SpanwiseError
from evals.datasets import schemas, values
from evals.datasets.changes import DatasetChange, ItemChange
from evals.models import Dataset
from evals.queries.items import Item

#: fields of an item as the forms call them -> as clients do
ITEM_FIELDS = {"input": "input", "expected_output": "expectedOutput", "metadata": "metadata"}
_SCHEMAS = {"input_schema": "inputSchema", "expected_output_schema": "expectedOutputSchema"}


def pretty(value: Any) -> str:
    """As people read and write a value: a text as it is, unless it would be taken for JSON; all else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str) and not _is_json(value):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return not text.strip() or text.lstrip()[:1] in '{["'
    return True


def typed(text: str) -> Any:
    """What people mean: nothing, JSON, or a text. Raises Invalid for what begins as JSON and is none."""
    stripped = text.replace("\r\n", "\n").strip()
    if not stripped:
        return None
    try:
        return values.without_control(orjson.loads(stripped))
    except orjson.JSONDecodeError as error:
        if stripped[0] in '{["':
            place = {"line": error.lineno, "column": error.colno, "why": error.msg}
            raise Invalid(_("Not JSON: %(why)s in line %(line)d, column %(column)d.") % place) from None
    return values.without_control(stripped)


# --- Items ------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class ItemDraft:
    """The three fields as they are typed, and what is wrong with each: place and words."""

    input: str = ""
    expected_output: str = ""
    metadata: str = ""
    item_id: str = ""
    source_trace_id: str = ""
    source_observation_id: str = ""
    errors: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def of_item(cls, item: Item) -> ItemDraft:
        return cls(pretty(item.input), pretty(item.expected_output), pretty(item.metadata), item.id)

    @classmethod
    def example_for(cls, dataset: Dataset) -> ItemDraft:
        """Something of the right shape to begin with; empty where any shape is."""
        fitting = (dataset.input_schema, dataset.expected_output_schema)
        first, second = (schemas.example(one) if one else None for one in fitting)
        return cls(pretty(first), pretty(second))

    @classmethod
    def of_post(cls, data: QueryDict) -> ItemDraft:
        names = (*ITEM_FIELDS, "item_id", "source_trace_id", "source_observation_id")
        texts: dict[str, Any] = {name: data.get(name, "").replace("\x00", "") for name in names}
        return cls(**texts)

    def change(self) -> ItemChange | None:
        """None where something cannot be read; `errors` say what."""
        said: dict[str, Any] = {}
        for name in ITEM_FIELDS:
            try:
                said[name] = typed(getattr(self, name))
            except Invalid as error:
                self.errors[name] = [("", error.message)]
        if self.errors:
            return None
        sources = {
            name: value
            for name in ("source_trace_id", "source_observation_id")
            if (value := getattr(self, name).strip())
        }
        return ItemChange(id=self.item_id.strip(), **said, **sources)

    def refused(self, refusal: SpanwiseError) -> None:
        by_api_name = {api: name for name, api in ITEM_FIELDS.items()} | {"id": "item_id"}
        issues = getattr(refusal, "issues", None) or []
        for issue in issues:
            first, *rest = issue["path"]
            place = schemas.place_of(tuple(rest)) if rest else ""
            self.errors.setdefault(by_api_name.get(first, "whole"), []).append((place, str(issue["message"])))
        if not issues:
            self.errors.setdefault("item_id" if refusal.status == 409 else "whole", []).append(("", refusal.message))

    @property
    def fields(self) -> list[dict[str, Any]]:
        titles = {
            "input": _("Input"),
            "expected_output": _("Expected output"),
            "metadata": _("Metadata"),
        }
        return [
            {"name": name, "title": titles[name], "text": getattr(self, name), "errors": self.errors.get(name, [])}
            for name in ITEM_FIELDS
        ]


# --- Datasets ---------------------------------------------------------------------------------------------
@dataclass(slots=True)
class SettingsDraft:
    name: str = ""
    description: str = ""
    metadata: str = ""
    input_schema: str = ""
    expected_output_schema: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)
    #: items that do not fit a schema: id and words
    misfits: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> SettingsDraft:
        return cls(
            dataset.name,
            dataset.description,
            pretty(dataset.metadata),
            pretty(dataset.input_schema),
            pretty(dataset.expected_output_schema),
        )

    @classmethod
    def of_post(cls, data: QueryDict) -> SettingsDraft:
        names = ("name", "description", "metadata", *_SCHEMAS)
        texts: dict[str, Any] = {
            name: data.get(name, "").replace("\x00", "").replace("\r\n", "\n").strip() for name in names
        }
        return cls(**texts)

    def change(self) -> DatasetChange | None:
        """None where something cannot be read; `errors` say what."""
        said: dict[str, Any] = {}
        for name in ("metadata", *_SCHEMAS):
            try:
                said[name] = typed(getattr(self, name))
            except Invalid as error:
                self.errors[name] = [error.message]
        if self.errors:
            return None
        return DatasetChange(name=self.name, description=self.description, **said)

    def refused(self, refusal: SpanwiseError) -> None:
        by_api_name = {api: name for name, api in _SCHEMAS.items()}
        for issue in getattr(refusal, "issues", None) or []:
            first = issue["path"][0]
            self.errors.setdefault(by_api_name.get(first, first), []).append(str(issue["message"]))
            if "itemId" in issue:
                self.misfits.append((str(issue["itemId"]), str(issue["message"])))
        if not self.errors:
            self.errors["whole"] = [refusal.message]

    @property
    def schemas(self) -> list[dict[str, Any]]:
        titles = {
            "input_schema": _("Schema of the input"),
            "expected_output_schema": _("Schema of the expected output"),
        }
        return [
            {"name": name, "title": titles[name], "text": getattr(self, name), "errors": self.errors.get(name, [])}
            for name in _SCHEMAS
        ]
