"""The other way of the sync: what a click on a facet, a pill or a slider makes of the text of a query.

Only the conditions that must all hold by themselves are touched; what stands inside OR and parentheses is the writer's.
"""

from __future__ import annotations

import re

from tracing.queries.explorer.fields import Kind, find_field
from tracing.queries.explorer.language import Any_, Query, Term, parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.writing import write_name, write_term


def toggle(text: str, noun: Noun, name: str, value: str, *, key: str = "") -> str:
    """With the value among the chosen ones of a field, or without it if it was. One that was excluded is chosen."""
    query = parse(text, noun)
    chosen = _choice(query, name, key)
    if chosen is not None:
        values = [one.text for one in chosen.values]
        left = [one for one in values if one != value] if value in values else [*values, value]
        return _replaced(query, chosen, write_term(name, *left, key=key) if left else "")
    return append(without_value(text, noun, name, value, key=key), noun, write_term(name, value, key=key))


def exclude(text: str, noun: Noun, name: str, value: str, *, key: str = "") -> str:
    """With rows of this value left out, or no longer left out if they were."""
    is_excluded = value in excluded_values(parse(text, noun), name, key)
    left = without_value(text, noun, name, value, key=key)
    return left if is_excluded else append(left, noun, write_term(name, value, key=key, is_negated=True))


def only(text: str, noun: Noun, name: str, value: str, *, key: str = "") -> str:
    """With nothing but this value of a field."""
    return append(clear(text, noun, name, key=key), noun, write_term(name, value, key=key))


def clear(text: str, noun: Noun, name: str, *, key: str = "") -> str:
    """Without any condition on a field."""
    query = parse(text, noun)
    for term in reversed(_terms(query, name, key)):
        text = remove(text, term.start, term.end)
    return text


def set_range(
    text: str, noun: Noun, name: str, low: float | None = None, high: float | None = None, *, key: str = ""
) -> str:
    """With a field between these ends, both included; None is open, and both None lift the condition."""
    left = clear(text, noun, name, key=key)
    if low is None and high is None:
        return left
    written = write_name(name, key)
    if low is None:
        return append(left, noun, f"{written}:<={_number(high)}")
    if high is None:
        return append(left, noun, f"{written}:>={_number(low)}")
    return append(left, noun, f"{written}:{_number(low)}..{_number(high)}")


def append(text: str, noun: Noun, condition: str) -> str:
    """With one more condition beside all there is."""
    text = text.strip()
    if not text:
        return condition
    terms = parse(text, noun).terms
    is_choice = len(terms) == 1 and isinstance(terms[0], Any_) and not text.startswith(("(", "-(", "NOT "))
    if not is_choice and len(terms) == 1 and isinstance(terms[0], Any_):
        is_choice = terms[0].end != len(text) or terms[0].start != 0
    return f"({text}) {condition}" if is_choice else f"{text} {condition}"


def remove(text: str, start: int, end: int) -> str:
    """Without the stretch of one condition, and without the blanks and the AND that are left over."""
    before, after = text[:start].rstrip(), text[end:].lstrip()
    if after.startswith("AND ") or after == "AND":
        after = after[3:].lstrip()
    elif before.endswith(" AND") or before == "AND":
        before = before[:-3].rstrip()
    return f"{before} {after}".strip()


def without_value(text: str, noun: Noun, name: str, value: str, *, key: str = "") -> str:
    """With a value neither chosen nor excluded."""
    query = parse(text, noun)
    for term in reversed(_terms(query, name, key)):
        if value not in [one.text for one in term.values if one.is_plain]:
            continue
        if not all(one.is_plain for one in term.values):
            continue
        left = [one.text for one in term.values if one.text != value]
        written = write_term(name, *left, key=key, is_negated=term.is_negated) if left else ""
        text = _replaced(parse(text, noun), term, written)
    return text


def chosen_values(query: Query, name: str, key: str = "") -> list[str]:
    """The plain values of a field that rows may have."""
    return _plain(query, name, key, is_negated=False)


def excluded_values(query: Query, name: str, key: str = "") -> list[str]:
    return _plain(query, name, key, is_negated=True)


def chosen_range(query: Query, name: str, key: str = "") -> tuple[float | None, float | None]:
    """The ends that a field's conditions set, in its unit; None where it is open."""
    low: float | None = None
    high: float | None = None
    for term in _terms(query, name, key):
        if term.is_negated or len(term.values) != 1:
            continue
        value = term.values[0]
        if not isinstance(value.number, int | float) and not isinstance(value.upper, int | float):
            continue
        match value.operator:
            case ">" | ">=":
                low = value.number
            case "<" | "<=":
                high = value.number
            case "=":
                low = high = value.number
            case "..":
                low, high = value.number, value.upper
    return low, high


def _plain(query: Query, name: str, key: str, *, is_negated: bool) -> list[str]:
    found = [
        value.text
        for term in _terms(query, name, key)
        if term.is_negated is is_negated
        for value in term.values
        if value.is_plain
    ]
    return list(dict.fromkeys(found))


def _terms(query: Query, name: str, key: str) -> list[Term]:
    """The conditions on a field that must hold by themselves, by whatever alias it is called."""
    field = find_field(name, query.noun)
    if field is None:
        return []
    named = (term for term in query.terms if isinstance(term, Term) and term.field.name == field.name)
    return [term for term in named if term.key == key]


def _choice(query: Query, name: str, key: str) -> Term | None:
    """The condition that another value can be put into."""
    for term in _terms(query, name, key):
        if not term.is_negated and all(value.is_plain for value in term.values) and term.field.kind is not Kind.NUMBER:
            return term
    return None


def _replaced(query: Query, term: Term, written: str) -> str:
    if not written:
        return remove(query.text, term.start, term.end)
    return query.text[: term.start] + written + query.text[term.end :]


def _number(number: float | None) -> str:
    text = f"{number:.12f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)
    return re.sub(r"\A-0\Z", "0", text)
