"""How the variables of a judge's messages get their values out of what is judged.

A mapping is a list of `{"variable", "source", "jsonPath"?, "isOptional"?}`; a document has the value of each source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import BaseExpression, FilterQuery, RootFilterQuery
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter

from config.errors import Invalid, issue
from evals.judging.output import Issue
from evals.models import TargetKind

#: characters of one value that are sent; what is cut is marked in the text
LONGEST_VALUE = 100_000
#: hits of one path
_MOST_HITS = 1_000
#: how often parts of a value may be looked at for one path: no one can cancel it
_MOST_LOOKS = 1_000_000
_LONGEST_PATH = 1_000
_MOST_VARIABLES = 100

_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    key: str
    label: str | Promise


@dataclass(frozen=True, slots=True)
class Resolved:
    """`problem` says why there is no value; empty where there is one, or where there need not be."""

    value: str = ""
    problem: str = ""
    is_cut: bool = False


_SOURCES = {
    "input": Source("input", gettext_lazy("Input")),
    "output": Source("output", gettext_lazy("Output")),
    "metadata": Source("metadata", gettext_lazy("Metadata")),
    "tool_calls": Source("tool_calls", gettext_lazy("Tool calls")),
    "expected_output": Source("expected_output", gettext_lazy("Expected output")),
    "experiment_item_metadata": Source("experiment_item_metadata", gettext_lazy("Metadata of the item")),
    "trace": Source("trace", gettext_lazy("Whole trace")),
    "conversation": Source("conversation", gettext_lazy("Conversation")),
}
_OF_TARGET: dict[str, tuple[str, ...]] = {
    TargetKind.OBSERVATION: ("input", "output", "metadata", "tool_calls"),
    TargetKind.TRACE: ("input", "output", "metadata", "tool_calls", "trace"),
    TargetKind.SESSION: ("conversation", "input", "output", "metadata"),
    TargetKind.EXPERIMENT: (
        "input", "output", "expected_output", "metadata", "tool_calls", "experiment_item_metadata", "trace",
    ),
}  # fmt: skip
#: words in names of variables -> the source that is meant, the most telling first
_MEANT = (
    ("expected_output", ("expected", "reference", "ground_truth", "groundtruth", "golden", "label", "target")),
    ("conversation", ("conversation", "dialog", "chat", "history", "transcript", "session", "messages")),
    ("trace", ("trace", "trajectory", "steps", "spans")),
    ("tool_calls", ("tool",)),
    ("output", ("output", "answer", "response", "completion", "generation", "reply", "result", "summary")),
    ("metadata", ("metadata",)),
    ("input", ("input", "question", "query", "prompt", "request", "task", "user", "context", "document")),
)


def sources_of(target: str) -> list[Source]:
    """What judges of such targets can be given, the most usual first."""
    return [_SOURCES[key] for key in _OF_TARGET[TargetKind(target)]]


def all_sources() -> tuple[str, ...]:
    return tuple(_SOURCES)


def variables_of(messages: Iterable[Entry]) -> list[str]:
    """The names between {{ and }}, in the order of their first use."""
    found: dict[str, None] = {}
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            found.update(dict.fromkeys(_VARIABLE.findall(content)))
    return list(found)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with the values put in; what they hold is not looked into again. Other braces stay."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def suggest(variables: Sequence[str], target: str) -> list[dict[str, Any]]:
    """A mapping to begin with: by names where they tell something, else input first and output then."""
    offered = _OF_TARGET[TargetKind(target)]
    fallback = [key for key in offered if key in ("conversation", "trace", "input", "output")] or list(offered)
    entries: list[dict[str, Any]] = []
    for number, variable in enumerate(variables):
        source = _source_meant(variable, offered) or fallback[min(number, len(fallback) - 1)]
        entries.append({"variable": variable, "source": source})
    return entries


def _source_meant(variable: str, offered: Sequence[str]) -> str:
    name = variable.casefold().replace("-", "_")
    if name in offered:
        return name
    for source, words in _MEANT:
        if source in offered and any(word in name for word in words):
            return source
    return ""


# --- Values ----------------------------------------------------------------------------------------------
def resolve(document: Mapping[str, Any], mapping: Iterable[Entry]) -> dict[str, Resolved]:
    """The value of each variable. Raises nothing: what cannot be found says why."""
    return {str(entry.get("variable")): _resolved(document, entry) for entry in mapping}


def _resolved(document: Mapping[str, Any], entry: Entry) -> Resolved:
    found, problem = find(document, entry)
    if problem or found is None:
        if entry.get("isOptional"):
            return Resolved()
        return Resolved(problem=problem or _nothing(entry))
    text = as_text(found)
    if len(text) > LONGEST_VALUE:
        return Resolved(cut(text, LONGEST_VALUE), is_cut=True)
    return Resolved(text)


def find(document: Mapping[str, Any], entry: Entry) -> tuple[Any, str]:
    """The value at an entry's source and path, and why there is none."""
    source = entry.get("source")
    if not source:
        return None, _("This variable is not mapped to anything.")
    if source not in document:
        return None, _("What is judged has no “%(source)s”.") % {"source": source}
    value = document[source]
    path = entry.get("jsonPath")
    if not path:
        return (None, "") if value in (None, "") else (value, "")
    try:
        compiled = _compiled(path)
    except JSONPathError as error:
        return None, _("The path %(path)s is not valid: %(why)s") % {"path": path, "why": _first_line(error)}
    value = _opened(value)
    if not isinstance(value, dict | list):
        return None, _("“%(source)s” is a text, which has no parts: take the path away.") % {"source": source}
    if not compiled.singular_query() and not _holds_at_most(value, _MOST_LOOKS // _looks(compiled)):
        return None, _("“%(source)s” has too many parts for the path %(path)s.") % {"source": source, "path": path}
    try:
        hits = _hits(compiled, value)
    except (JSONPathError, RecursionError, TypeError, ValueError) as error:
        return None, _("The path %(path)s cannot be followed: %(why)s") % {"path": path, "why": _first_line(error)}
    if not hits:
        return None, _("%(path)s finds nothing in “%(source)s”.") % {"path": path, "source": source}
    return (hits[0] if compiled.singular_query() else hits), ""


def _hits(compiled: JSONPath, value: Any) -> list[Any]:
    return [match.obj for match in islice(compiled.finditer(value), _MOST_HITS)]


def _nothing(entry: Entry) -> str:
    return _("“%(source)s” is empty here.") % {"source": entry.get("source")}


def _opened(value: Any) -> Any:
    """Texts that hold JSON are looked into, too: many applications write it so."""
    if isinstance(value, str) and value[:1] in "{[" and value:
        try:
            return orjson.loads(value)
        except ValueError:
            return value
    return value


def as_text(value: Any) -> str:
    """As it is put into a message: texts as they are, all else as JSON with line breaks."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()


def cut(text: str, most: int, end: str = "", length: int = 0) -> str:
    """Start and end with a visible mark between them: questions tend to stand at one, answers at the other. Of a text
    that was not read as a whole `end` and `length` are given, too."""
    head, tail = most * 3 // 4, most // 4
    left_out = (length or len(text)) - head - tail
    return f"{text[:head]}\n\n[… {left_out:,} characters left out here …]\n\n{(end or text)[-tail:]}"


_environment = JSONPathEnvironment(strict=True)
# Regular expressions of one person over texts of strangers could keep a worker busy for ever.
for _name in ("match", "search"):
    del _environment.function_extensions[_name]


@lru_cache(maxsize=500)
def _compiled(path: str) -> JSONPath:
    """Raises JSONPathError, also for what would look at everything for each part of everything."""
    compiled = _environment.compile(path)
    if not isinstance(compiled, JSONPath):
        raise JSONPathError(_("It is more than one path."))
    if sum(_is_descent(segment) for segment in compiled.segments) > 1:
        raise JSONPathError(_("It may have “..” only once."))
    for query in _queries_of(compiled):
        if any(_is_descent(segment) for segment in query.path.segments):
            raise JSONPathError(_("A filter cannot look with “..”."))
        if isinstance(query, RootFilterQuery) and not query.path.singular_query():
            raise JSONPathError(_("A filter can look at one part of the whole only."))
    return compiled


def _is_descent(segment: Any) -> bool:
    return isinstance(segment, JSONPathRecursiveDescentSegment)


def _queries_of(path: JSONPath) -> list[FilterQuery]:
    """The paths in the filters of a path, and in the filters of these."""
    found: list[FilterQuery] = []
    left: list[BaseExpression] = [
        selector.expression
        for segment in path.segments
        for selector in segment.selectors
        if isinstance(selector, Filter)
    ]
    while left:
        expression = left.pop()
        left += expression.children()
        if isinstance(expression, FilterQuery):
            found.append(expression)
    return found


def _looks(path: JSONPath) -> int:
    """How often a path may look at each part of a value, at most: each selector of a segment finds what its others
    find, too, and goes on with it. A path as `_compiled` allows it comes to a part from the one above it only."""
    found = each = 1
    for segment in path.segments:
        each *= sum(_looks_of(selector) for selector in segment.selectors)
        found += each
    return found


def _looks_of(selector: Any) -> int:
    if not isinstance(selector, Filter):
        return 1
    left: list[BaseExpression] = [selector.expression]
    found = 1
    while left:
        expression = left.pop()
        if isinstance(expression, FilterQuery):
            found += _looks(expression.path)
        else:
            left += expression.children()
    return found


def _holds_at_most(value: Any, most: int) -> bool:
    """Of parts; the value is a dict or list."""
    left, count = [value], 1
    while left:
        one = left.pop()
        parts = one.values() if isinstance(one, dict) else one
        count += len(one)
        left += [part for part in parts if isinstance(part, dict | list)]
        if count > most:
            return False
    return True


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


# --- Checked ---------------------------------------------------------------------------------------------
def check_mapping(given: Any, variables: Sequence[str] | None, *, at: str = "variableMapping") -> list[dict[str, Any]]:
    """A mapping that can be kept, with an entry for each of `variables` (None: whatever they are). Raises Invalid with
    issues, of which `code` tells what kind of mistake it is."""
    if not isinstance(given, list) or len(given) > _MOST_VARIABLES:
        raise Invalid(issues=[issue((at,), _("A mapping is a list with an entry for each variable."))])
    issues: list[Issue] = []
    found: list[dict[str, Any]] = []
    for number, entry in enumerate(given):
        checked = _checked(entry, (at, number), issues)
        if checked is None:
            continue
        if any(one["variable"] == checked["variable"] for one in found):
            message = _("“%(name)s” is mapped twice.") % {"name": checked["variable"]}
            issues.append({**issue((at, number), message), "code": "duplicate_variable_mapping"})
        elif variables is not None and checked["variable"] not in variables:
            message = _("The messages have no variable “%(name)s”.") % {"name": checked["variable"]}
            issues.append({**issue((at, number, "variable"), message), "code": "invalid_variable_mapping"})
        else:
            found.append(checked)
    mapped = {one["variable"] for one in found}
    if not issues:
        for name in variables or ():
            if name not in mapped:
                message = _("“%(name)s” is not mapped.") % {"name": name}
                issues.append({**issue((at,), message), "code": "missing_variable_mapping"})
    if issues:
        raise Invalid(issues=issues)
    return found


def _checked(entry: Any, at: tuple[Any, ...], issues: list[Issue]) -> dict[str, Any] | None:
    if not isinstance(entry, dict):
        issues.append(issue(at, _("An entry has a variable and a source.")))
        return None
    variable, source, path = entry.get("variable"), entry.get("source"), entry.get("jsonPath")
    if not isinstance(variable, str) or not variable or len(variable) > 200:
        issues.append(issue((*at, "variable"), _("Name the variable.")))
        return None
    if not isinstance(source, str) or source not in _SOURCES:
        message = _("Choose one of: %(all)s.") % {"all": ", ".join(_SOURCES)}
        issues.append({**issue((*at, "source"), message), "code": "invalid_variable_mapping"})
        return None
    found: dict[str, Any] = {"variable": variable, "source": source}
    if path not in (None, ""):
        problem = path_problem(path)
        if problem:
            issues.append({**issue((*at, "jsonPath"), problem), "code": "invalid_json_path"})
            return None
        found["jsonPath"] = path
    if entry.get("isOptional"):
        found["isOptional"] = True
    return found


def path_problem(path: Any) -> str:
    """Why this is no JSONPath; empty where it is one."""
    if not isinstance(path, str) or not path.startswith("$") or len(path) > _LONGEST_PATH or "\x00" in path:
        return _("A path begins with $, as in $.messages[0].content.")
    try:
        _compiled(path)
    except (JSONPathError, RecursionError) as error:
        return _("The path %(path)s is not valid: %(why)s") % {"path": path, "why": _first_line(error)}
    return ""
