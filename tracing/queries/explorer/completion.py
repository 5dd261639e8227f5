"""What may stand where the caret is: fields, operators, then the values that were observed, most common first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import SpanwiseError
from tracing.queries.explorer.edit import remove
from tracing.queries.explorer.facets import FacetValue, observed_values
from tracing.queries.explorer.fields import Field, Kind, fields_of, find_field
from tracing.queries.explorer.language import parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.explorer.writing import write_name, write_value

MOST = 10
_MOST_READ = 200

_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`text` takes the place of what the completion spans; `is_open` says that more follows right behind it."""

    text: str
    label: Any
    #: field, operator or value
    kind: str
    detail: Any = ""
    count: int | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """Suggestions for the stretch from `start` to `end` of the text, in Unicode characters."""

    start: int
    end: int
    suggestions: list[Suggestion] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """What is written where the caret is. `name` is that of the field whose value it is, None in a field's own name."""

    start: int
    end: int
    written: str
    name: str | None = None
    key: str = ""
    #: of the whole term, for what else the query asks
    term_start: int = 0


class Observe(Protocol):
    """Reads the values of a field that rows have under these conditions, most common first."""

    def __call__(
        self, scope: ProjectScope, wanted: Wanted, name: str, *, contains: str = "", limit: int = 0
    ) -> list[FacetValue]: ...


def complete(
    scope: ProjectScope, wanted: Wanted, text: str, caret: int, *, observe: Observe = observed_values
) -> Completion:
    """Suggestions for a text that is being written, of which `wanted.query` need not be the latest reading. Values are
    those of rows that fulfil the other conditions; where these cannot be read, there are none. `observe` reads them:
    for sessions and users, `queries.groups.observed_values`."""
    caret = max(0, min(caret, len(text)))
    place = _place(text, caret)
    if place.name is None:
        found = _fields(scope, wanted, place, observe)
    else:
        others = parse(remove(text, place.term_start, place.end), wanted.noun)
        found = _values(scope, replace(wanted, query=others), place, observe)
    return Completion(place.start, place.end, found[:MOST])


# --- Where the caret is ----------------------------------------------------------------------------------
def _place(text: str, caret: int) -> _Place:
    start, in_list = _token_start(text, caret)
    end = _token_end(text, caret)
    token = text[start:caret]
    if in_list is not None:
        list_start, name, key = in_list
        return _Place(start, end, _unquoted(token), name, key, list_start)
    sign = 1 if token.startswith("-") else 0
    named = _NAME.match(token, sign)
    if named:
        key, at = _key(token, named.end())
        if token[at : at + 1] == ":":
            return _Place(start + at + 1, end, _unquoted(token[at + 1 :]), named.group(), key, start)
    return _Place(start + sign, end, token[sign:], term_start=start)


def _token_start(text: str, caret: int) -> tuple[int, tuple[int, str, str] | None]:
    """Where the word begins that the caret is in, and whose list of values it is in: its term's place, name and key."""
    start, in_quotes, at = 0, False, 0
    lists: list[tuple[int, str, str] | None] = []
    while at < caret:
        character = text[at]
        if in_quotes:
            if character == "\\":
                at += 1
            elif character == '"':
                in_quotes = False
        elif character == '"':
            in_quotes = True
        elif character.isspace() or (character == "," and lists and lists[-1]):
            start = at + 1
        elif character == "(" and (at == start or text[at - 1] in ":-"):
            lists.append(_list_at(text, start, at))
            start = at + 1
        elif character == ")" and lists:
            lists.pop()
            start = at + 1
        at += 1
    return start, lists[-1] if lists else None


def _list_at(text: str, start: int, at: int) -> tuple[int, str, str] | None:
    named = _NAME.match(text, start + (text[start] == "-"))
    if not named:
        return None
    key, end = _key(text, named.end())
    return (start, named.group(), key) if end + 1 == at and text[end] == ":" else None


def _key(token: str, at: int) -> tuple[str, int]:
    if token[at : at + 1] != ".":
        return "", at
    quoted = re.compile(r'\.("(?:\\.|[^"\\])*")').match(token, at)
    if quoted:
        return _unquoted(quoted.group(1)), quoted.end()
    bare = re.compile(r"\.([^\s\"\\()*,:]*)").match(token, at)
    return (bare.group(1), bare.end()) if bare else ("", at)


def _unquoted(token: str) -> str:
    """What a value that is being written stands for, as far as it is written."""
    token = re.sub(r"\A(>=|<=|>|<|=)", "", token)
    if not token.startswith('"'):
        return token.strip("*")
    return re.sub(r"\\(.)", r"\1", token[1:].removesuffix('"'))


def _token_end(text: str, caret: int) -> int:
    end = caret
    while end < len(text) and not text[end].isspace() and text[end] not in "(),":
        end += 1
    return end


# --- Suggestions -----------------------------------------------------------------------------------------
def _fields(scope: ProjectScope, wanted: Wanted, place: _Place, observe: Observe) -> list[Suggestion]:
    written = place.written.lower()
    stem, dot, rest = place.written.partition(".")
    keyed = find_field(stem, wanted.noun) if dot else None
    if keyed is not None and keyed.has_keys:
        return _keys(scope, wanted, keyed, rest.strip('"'), observe)
    ranked = sorted(
        ((rank, number, one) for number, one in enumerate(fields_of(wanted.noun).values())
         if (rank := _rank(one, written)) is not None),
        key=lambda one: one[:2],
    )  # fmt: skip
    found = [_of_field(one) for _rank_, _number, one in ranked]
    for word, label in (("has", _("is there")), ("is", _("is marked so"))):
        if word.startswith(written) and (word == "has" or _marks(wanted.noun)):
            found.append(Suggestion(f"{word}:", f"{word}:", "field", label, is_open=True))
    return found


def _marks(noun: Noun) -> list[str]:
    """What `is:` may ask of this noun."""
    return [one for one in ("bookmarked", "public", "root") if find_field(one, noun)]


def _of_field(one: Field) -> Suggestion:
    ending = "." if one.has_keys else ":"
    return Suggestion(f"{one.name}{ending}", f"{one.name}{ending}", "field", one.label, is_open=True)


def _rank(one: Field, written: str) -> int | None:
    """Names that begin so, then other spellings and labels that do, then those that hold it."""
    if one.name.startswith(written):
        return 0
    others = [alias.lower() for alias in one.aliases] + [str(one.label).lower()]
    if any(other.startswith(written) for other in others):
        return 1
    return 2 if written in one.name or any(written in other for other in others) else None


def _keys(scope: ProjectScope, wanted: Wanted, keyed: Field, written: str, observe: Observe) -> list[Suggestion]:
    others = replace(wanted, query=parse("", wanted.noun))
    return [
        Suggestion(
            f"{write_name(keyed.name, one.value)}:", f"{keyed.name}.{one.value}", "field", "", one.count, is_open=True
        )
        for one in _observed(scope, others, keyed.name, written, observe)
    ]


def _values(scope: ProjectScope, wanted: Wanted, place: _Place, observe: Observe) -> list[Suggestion]:
    name = (place.name or "").lower()
    written = place.written
    if name == "is":
        return [Suggestion(one, one, "value") for one in _marks(wanted.noun) if one.startswith(written.lower())]
    if name == "has":
        known = fields_of(wanted.noun).values()
        return [Suggestion(one.name, one.name, "value", one.label) for one in known if one.name.startswith(written)]
    found = find_field(name, wanted.noun)
    if found is None:
        return []
    if found.kind is Kind.BOOLEAN:
        return [Suggestion(one, one, "value") for one in ("true", "false") if one.startswith(written.lower())]
    if found.kind in (Kind.NUMBER, Kind.TIME):
        return _comparisons(found) if not written else []
    if found.has_keys and not place.key:
        return []
    values = _observed(scope, wanted, f"{found.name}.{place.key}" if place.key else found.name, written, observe)
    suggestions = [Suggestion(write_value(one.value), one.value, "value", "", one.count) for one in values]
    if found.kind is Kind.CHOICE:
        seen = {one.label for one in suggestions}
        rest = [one for one in found.choices if one not in seen and written.upper() in one]
        suggestions += [Suggestion(one, one, "value", "", 0) for one in rest]
    if found.kind is Kind.SCORES and not written:
        suggestions += _comparisons(found)
    return suggestions


def _comparisons(found: Field) -> list[Suggestion]:
    return [
        Suggestion(">", ">", "operator", _("more than"), is_open=True),
        Suggestion(">=", ">=", "operator", _("at least"), is_open=True),
        Suggestion("<", "<", "operator", _("less than"), is_open=True),
        Suggestion("<=", "<=", "operator", _("at most"), is_open=True),
        Suggestion("..", "1..5", "operator", _("from … to …"), is_open=True),
    ]


def _observed(scope: ProjectScope, wanted: Wanted, name: str, written: str, observe: Observe) -> list[FacetValue]:
    """Those that begin with what is written first. All values are asked for, which the store is asked once while a word
    is being written; only among very many it has to look for what is written."""
    try:
        values = observe(scope, wanted, name, limit=_MOST_READ)
        if len(values) >= _MOST_READ and written:
            values = observe(scope, wanted, name, contains=written, limit=3 * MOST)
    except SpanwiseError:
        return []
    small = written.lower()
    found = [one for one in values if small in one.value.lower()]
    return sorted(found, key=lambda one: not one.value.lower().startswith(small))
