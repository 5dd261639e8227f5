"""The query bar as it is read: one pill for each condition that can be taken away, and the words beside them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from tracing.queries.explorer.language import Any_, Problem, Query, Term


@dataclass(frozen=True, slots=True)
class Pill:
    """`text` is the condition as it was typed: `field`, up to the colon, and the rest."""

    text: str
    field: str
    value: str
    #: query string of the page without it
    without: str
    #: what is wrong with it; empty if nothing is
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    pills: list[Pill]
    #: what remains beside the pills, as typed
    words: str


def bar(query: Query, address: QueryDict) -> Bar:
    """Alternatives between whole conditions stay text: taking one away would change what the rest means."""
    if any(isinstance(node, Any_) and not query.text[node.start :].startswith("(") for node in query.terms):
        return Bar([], query.text.strip())
    places = [(node.start, node.end) for node in query.terms if isinstance(node, Term)]
    places += _wrong_terms(query, places)
    pills = [_pill(query, start, end, address) for start, end in sorted(places)]
    return Bar(pills, _outside(query.text, sorted(places)))


def _wrong_terms(query: Query, known: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches that were meant as conditions but not understood, each as far as the next blank."""
    found: list[tuple[int, int]] = []
    for problem in query.problems:
        start, end = _widened(query.text, problem)
        if ":" in query.text[start:end] and not any(a < end and start < b for a, b in [*known, *found]):
            found.append((start, end))
    return found


def _widened(text: str, problem: Problem) -> tuple[int, int]:
    start, end = problem.start, problem.end
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return start, end


def _pill(query: Query, start: int, end: int, address: QueryDict) -> Pill:
    text = query.text[start:end]
    field, _colon, value = text.partition(":")
    changed = address.copy()
    changed["q"] = " ".join(f"{query.text[:start]} {query.text[end:]}".split(" ")).strip()
    for name in ("before", "peek", "observation", *([] if changed["q"] else ["q"])):
        changed.pop(name, None)
    problems = (p.message for p in query.problems if p.start < end and start < max(p.end, p.start + 1))
    return Pill(text, field, value, f"?{changed.urlencode()}", next(problems, ""))


def _outside(text: str, places: list[tuple[int, int]]) -> str:
    found, at = [], 0
    for start, end in places:
        found.append(text[at:start].strip())
        at = end
    return " ".join(part for part in (*found, text[at:].strip()) if part)
