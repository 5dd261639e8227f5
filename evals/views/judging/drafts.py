"""An evaluator while it is written: as the form has it, with what is wrong at each field."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import Invalid
from evals.actions.evaluators import EvaluatorFields
from evals.judging.code import Broken, parameters_of
from evals.judging.mapping import suggest, variables_of
from evals.judging.templates import Template
from evals.models import Evaluator, EvaluatorKind, EvaluatorVersion, TargetKind
from prompts.views.drafts import MessageRow

#: what a judge may speak as
ROLES = ("system", "user", "assistant")
TYPES = [
    ("NUMERIC", gettext_lazy("Number"), gettext_lazy("between two bounds")),
    ("BOOLEAN", gettext_lazy("Yes or no"), gettext_lazy("true or false")),
    ("CATEGORICAL", gettext_lazy("Category"), gettext_lazy("one of a few labels, or several")),
    ("TEXT", gettext_lazy("Text"), gettext_lazy("words, which nothing is computed from")),
]
PYTHON = "PYTHON"
#: what code is given, by the name of its parameter
GIVEN: dict[str, str | Promise] = {
    "input": gettext_lazy("what went in"),
    "output": gettext_lazy("what came out"),
    "metadata": gettext_lazy("a dict of what was noted beside it"),
    "tool_calls": gettext_lazy("a list of the tools that the model called, with their arguments"),
    "expected_output": gettext_lazy("what the item of the dataset expects"),
    "experiment_item_metadata": gettext_lazy("the metadata of the item"),
    "trace": gettext_lazy("{name, steps}, each step with type, name, depth, seconds, level, input and output"),
    "conversation": gettext_lazy("{turns}, each with turn, at, user and assistant"),
}
_MOST_ROWS = 100
_LONGEST = 200_000
#: what actions call a field -> what the form calls it
_FIELDS = {
    "name": "name",
    "description": "description",
    "prompt": "messages",
    "outputDefinition": "output",
    "modelConfig": "model",
    "variableMapping": "mapping",
    "sourceCode": "source_code",
    "sourceCodeLanguage": "source_code",
}
#: which sources tell what a judge was made for
_TELLING = {
    "conversation": TargetKind.SESSION,
    "trace": TargetKind.TRACE,
    "expected_output": TargetKind.EXPERIMENT,
    "experiment_item_metadata": TargetKind.EXPERIMENT,
}


@dataclass(slots=True)
class CategoryRow:
    label: str = ""
    description: str = ""


@dataclass(slots=True)
class MapRow:
    """Where one variable comes from; no source where nobody said."""

    variable: str
    source: str = ""
    path: str = ""
    is_optional: bool = False
    error: str = ""
    #: what it is in the chosen sample; None without one
    value: str | None = None
    problem: str = ""
    is_cut: bool = False

    @property
    def state(self) -> str:
        """unmapped, mapped, nothing"""
        if not self.source:
            return "unmapped"
        return "nothing" if self.problem or self.value == "" else "mapped"

    @property
    def entry(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"variable": self.variable, "source": self.source}
        if self.path:
            entry["jsonPath"] = self.path
        if self.is_optional:
            entry["isOptional"] = True
        return entry


@dataclass(slots=True)
class Draft:
    """`evaluator` is the id of the one that it becomes a version of, `base` the number of the version it came from."""

    evaluator: str = ""
    base: int | None = None
    name: str = ""
    description: str = ""
    template: str = ""
    kind: str = EvaluatorKind.LLM_AS_JUDGE
    rows: list[MessageRow] = field(default_factory=lambda: [MessageRow(role="system"), MessageRow()])
    source_code: str = ""
    provider: str = ""
    model: str = ""
    temperature: str = ""
    most_tokens: str = ""
    #: other parameters, which the form does not show
    parameters: dict[str, Any] = field(default_factory=dict)
    make_default: bool = False
    data_type: str = "NUMERIC"
    min_value: str = "0"
    max_value: str = "1"
    categories: list[CategoryRow] = field(default_factory=lambda: [CategoryRow(), CategoryRow()])
    allows_several: bool = False
    reasoning: str = ""
    value: str = ""
    mapping: list[MapRow] = field(default_factory=list)
    #: of the samples that it is tried on
    target: str = TargetKind.OBSERVATION
    sample: str = ""
    sample_name: str = ""
    trial: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        return bool(self.errors) or any(one.error for one in self.rows) or any(one.error for one in self.mapping)

    @property
    def is_code(self) -> bool:
        return self.kind == EvaluatorKind.CODE

    @property
    def wrong_line(self) -> int | None:
        """Of the code, where its error names one."""
        if self.is_code and "source_code" in self.errors:
            try:
                parameters_of(self.source_code)
            except Broken as error:
                return error.line
        return None

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": row.role, "content": row.content} for row in self.rows]

    @property
    def settings(self) -> dict[str, Any]:
        return {**self.parameters, **_numbers({"temperature": self.temperature, "max_tokens": self.most_tokens})}

    @property
    def parameters_text(self) -> str:
        """What the form carries of those that it does not show."""
        return orjson.dumps(self.parameters).decode() if self.parameters else ""

    def settle(self) -> None:
        """Each variable that the messages have gets a row, those that they have no more lose it."""
        if self.is_code:
            self.mapping = []
            return
        known = {row.variable: row for row in self.mapping}
        names = variables_of(self.messages)
        new = [name for name in names if name not in known]
        for entry in suggest(new, TargetKind(self.target)) if new else ():
            known[entry["variable"]] = _map_row(entry)
        self.mapping = [known.get(name) or MapRow(name) for name in names]

    def fields(self) -> EvaluatorFields | None:
        """None where something cannot be read, which is in `errors` then."""
        output = None if self.is_code else self._output()
        for label, text in (("temperature", self.temperature), ("max_tokens", self.most_tokens)):
            if text and not _numbers({label: text}):
                self.errors["model"] = _("“%(text)s” is no number.") % {"text": text[:40]}
        if self.provider and not self.model:
            self.errors["model"] = _("Choose a model of the connection, or write its name.")
        if self.errors:
            return None
        model = {"provider": self.provider, "model": self.model, "parameters": self.settings}
        return EvaluatorFields(
            name=self.name,
            description=self.description,
            kind=self.kind,
            messages=[] if self.is_code else self.messages,
            output=output,
            model=model if self.provider and not self.make_default and not self.is_code else None,
            mapping=None if self.is_code else [row.entry for row in self.mapping if row.source],
            template=self.template,
            source_code=self.source_code if self.is_code else "",
            source_language=PYTHON if self.is_code else "",
        )

    def _output(self) -> dict[str, Any]:
        is_number, is_category = self.data_type == "NUMERIC", self.data_type == "CATEGORICAL"
        rows = [row for row in self.categories if row.label or row.description]
        return {
            "dataType": self.data_type,
            "minValue": self._bound("min_value") if is_number else None,
            "maxValue": self._bound("max_value") if is_number else None,
            "categories": [{"label": one.label, "description": one.description} for one in rows] if is_category else [],
            "shouldAllowMultipleMatches": self.allows_several and is_category,
            "scoreReasoningInstructions": self.reasoning,
            "scoreValueInstructions": self.value,
        }

    def _bound(self, name: str) -> float | None:
        text = getattr(self, name)
        if not text:
            return None
        number = _number(text)
        if number is None:
            self.errors["output"] = _("“%(text)s” is no number.") % {"text": text[:40]}
        return number

    def refused(self, refusal: Invalid) -> None:
        """Puts what an action refused where it belongs."""
        if not refusal.issues:
            self.errors["whole"] = refusal.message
        for issue in refusal.issues or ():
            path: Any = issue.get("path") or ()
            self._put([str(part) for part in path], str(issue["message"]))

    def _put(self, path: list[str], words: str) -> None:
        head, place = ([*path, "", ""])[:2]
        rows: list[Any] = []
        if head == "prompt":
            rows = self.rows
        elif head == "variableMapping":
            rows = [row for row in self.mapping if row.source]
        if place.isdigit() and int(place) < len(rows):
            rows[int(place)].error = words
        else:
            self.errors[_FIELDS.get(head, "whole")] = words


# --- Where drafts come from -------------------------------------------------------------------------------
def of_template(template: Template) -> Draft:
    draft = Draft(name=template.title, description=template.purpose, template=template.key, target=template.target)
    _fill(draft, template.messages, template.output, template.mapping)
    if template.source_code:
        draft.kind, draft.source_code = EvaluatorKind.CODE, template.source_code
    return draft


def of_version(evaluator: Evaluator, version: EvaluatorVersion, *, is_copy: bool, latest: int) -> Draft:
    """The next version of the evaluator, or with `is_copy` another one that says the same."""
    name = _("%(name)s, copy") % {"name": evaluator.name} if is_copy else evaluator.name
    draft = Draft(name=name, description=evaluator.description, template=evaluator.template, kind=evaluator.kind)
    if not is_copy:
        draft.evaluator, draft.base = evaluator.pk, latest
    draft.target = target_of_version(version)
    draft.source_code = version.source_code
    _read_model(draft, version.model)
    _fill(draft, version.messages, version.output, version.mapping or [])
    return draft


def target_of(mapping: list[dict[str, Any]] | None) -> str:
    """What an evaluator was made for, as far as its mapping tells."""
    found = [_TELLING[entry["source"]] for entry in mapping or () if entry.get("source") in _TELLING]
    return found[0].value if found else TargetKind.OBSERVATION.value


def target_of_version(version: EvaluatorVersion) -> str:
    """The same, of code by what its function is given."""
    if not version.source_code:
        return target_of(version.mapping)
    try:
        names = parameters_of(version.source_code)
    except Broken:
        return TargetKind.OBSERVATION.value
    return target_of([{"source": name} for name in names])


def _fill(
    draft: Draft, messages: list[dict[str, str]], output: dict[str, Any] | None, mapping: list[dict[str, Any]]
) -> None:
    if messages:
        draft.rows = [MessageRow(role=one["role"], content=one["content"]) for one in messages]
    if not output:  # of code: what it gives back says what it is
        return
    draft.data_type = output["dataType"]
    draft.min_value, draft.max_value = _shown(output.get("minValue")), _shown(output.get("maxValue"))
    rows = [CategoryRow(one["label"], one.get("description") or "") for one in output.get("categories") or ()]
    draft.categories = rows or draft.categories
    draft.allows_several = bool(output.get("shouldAllowMultipleMatches"))
    draft.reasoning = output.get("scoreReasoningInstructions") or ""
    draft.value = output.get("scoreValueInstructions") or ""
    draft.mapping = [_map_row(entry) for entry in mapping]


def of_model(model: dict[str, Any] | None) -> Draft:
    """Of the form that asks for a model and its settings only."""
    draft = Draft()
    _read_model(draft, model)
    return draft


def _read_model(draft: Draft, model: dict[str, Any] | None) -> None:
    if not model:
        return
    draft.provider, draft.model = model["provider"], model["model"]
    rest = dict(model.get("parameters") or {})
    draft.temperature, draft.most_tokens = _shown(rest.pop("temperature", None)), _shown(rest.pop("max_tokens", None))
    draft.parameters = rest


def _map_row(entry: dict[str, Any]) -> MapRow:
    path = entry.get("jsonPath") or ""
    return MapRow(entry["variable"], entry.get("source") or "", path, bool(entry.get("isOptional")))


def _shown(number: Any) -> str:
    """A number with all its digits: what a form shows is what it sends back."""
    return "" if number is None else str(number).removesuffix(".0")


def of_post(data: QueryDict) -> Draft:
    """What was typed, as it was typed."""

    def text(name: str) -> str:
        return plain(data.get(name, "")).strip()

    def column(name: str) -> list[str]:
        return [plain(value) for value in data.getlist(name)[:_MOST_ROWS]]

    optional = set(column("optional"))
    return Draft(
        evaluator=text("evaluator"),
        base=whole_number(text("base")),
        name=text("name"),
        description=text("description"),
        template=text("template"),
        kind=_one_of(text("kind_of"), EvaluatorKind.values, EvaluatorKind.LLM_AS_JUDGE.value),
        rows=[
            MessageRow(role=_one_of(role, ROLES, "user"), content=said)
            for role, said in zip(column("role"), column("content"), strict=False)
        ],
        source_code=plain(data.get("source_code", "")),
        provider=text("provider"),
        model=text("model"),
        temperature=text("temperature"),
        most_tokens=text("max_tokens"),
        parameters=read_object(plain(data.get("parameters", ""))) or {},
        make_default=bool(data.get("make_default")),
        data_type=_one_of(text("data_type"), [value for value, *_ in TYPES], "NUMERIC"),
        min_value=text("min_value"),
        max_value=text("max_value"),
        categories=[
            CategoryRow(label.strip(), said.strip())
            for label, said in zip(column("category"), column("category_description"), strict=False)
        ],
        allows_several=bool(data.get("allows_several")),
        reasoning=text("reasoning"),
        value=text("value"),
        mapping=[
            MapRow(name, source, path.strip(), name in optional)
            for name, source, path in zip(column("variable"), column("source"), column("path"), strict=False)
        ],
        target=_one_of(text("target"), TargetKind.values, TargetKind.OBSERVATION.value),
        sample=text("sample"),
        sample_name=text("sample_name")[:200],
        trial=text("trial"),
    )


def change_shape(draft: Draft, wish: str) -> bool:
    """Adds, removes and moves messages and categories for whoever has no script: `add-message`, `remove:2`, `up:2`,
    `down:2`, `add-category`, `remove-category:2`. False for another wish."""
    name, _colon, place = wish.partition(":")
    at = whole_number(place)
    rows: list[Any] = draft.categories if name.endswith("-category") else draft.rows
    if name in ("add-message", "add-category"):
        if len(rows) < _MOST_ROWS:
            rows.append(CategoryRow() if name == "add-category" else MessageRow())
    elif name in ("remove", "remove-category", "up", "down"):
        if at is not None and at < len(rows):
            _move(rows, at, name)
    else:
        return False
    return True


def _move(rows: list[Any], at: int, name: str) -> None:
    row = rows.pop(at)
    if name == "up":
        rows.insert(max(at - 1, 0), row)
    elif name == "down":
        rows.insert(at + 1, row)


def plain(text: str) -> str:
    """As it was typed: forms send lines' ends of their own, and no store takes the zero character."""
    return text.replace("\r\n", "\n").replace("\x00", "")[:_LONGEST]


def read_object(text: str) -> dict[str, Any] | None:
    """What a hidden field carries; None for anything but a JSON object."""
    try:
        found = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _numbers(texts: dict[str, str]) -> dict[str, Any]:
    found = {name: _number(text) for name, text in texts.items() if text}
    return {name: int(one) if one.is_integer() else one for name, one in found.items() if one is not None}


def _one_of(text: str, allowed: Any, otherwise: str) -> str:
    return text if text in allowed else otherwise
