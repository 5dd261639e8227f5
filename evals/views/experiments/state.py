"""What the address of a comparison says: which runs, which rows of them, how they are shown. Nonsense is dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict

from evals.experiments.comparison import OPERATORS, Condition

#: the baseline and so many beside it
MOST_OTHERS = 5
LAYOUTS = ("grid", "list")
DIFFS = ("", "expected", "baseline")
_LONGEST = 500
_MOST_CONDITIONS = 20
_MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class State:
    baseline: str = ""
    others: tuple[str, ...] = ()
    layout: str = "grid"
    #: metric, the worst regression first; empty: as they ran
    sort: str = ""
    #: scores of which less is better
    lower: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    only_matched: bool = False
    diff: str = ""
    with_significance: bool = False
    page: int = 1

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.baseline, *self.others)

    @property
    def query(self) -> str:
        pairs: list[tuple[str, str]] = [("baseline", self.baseline)]
        pairs += [("with", other) for other in self.others]
        pairs += [("layout", self.layout)] if self.layout != LAYOUTS[0] else []
        pairs += [("sort", self.sort)] if self.sort else []
        pairs += [("low", metric) for metric in self.lower]
        pairs += [("where", str(condition)) for condition in self.conditions]
        pairs += [("items", "both")] if self.only_matched else []
        pairs += [("diff", self.diff)] if self.diff else []
        pairs += [("significance", "1")] if self.with_significance else []
        pairs += [("page", str(self.page))] if self.page > 1 else []
        return urlencode(pairs)

    def but(self, **changes: object) -> str:
        """The query of this state with something changed, back on the first page unless that is what changes."""
        return f"?{replace(self, **{'page': 1, **changes}).query}"  # type: ignore[arg-type]

    def without_condition(self, condition: Condition) -> str:
        return self.but(conditions=tuple(one for one in self.conditions if one != condition))

    def with_baseline(self, experiment_id: str) -> str:
        """The one that was it takes the other's place, and conditions go along with their runs."""
        ids = (experiment_id, *(one for one in self.ids if one != experiment_id))
        places = {self.ids.index(one): place for place, one in enumerate(ids)}
        moved = tuple(replace(one, run=places[one.run]) for one in self.conditions if one.run in places)
        return self.but(baseline=ids[0], others=ids[1:], conditions=moved)

    def without_run(self, experiment_id: str) -> str:
        ids = tuple(one for one in self.ids if one != experiment_id)
        kept = tuple(
            replace(one, run=ids.index(self.ids[one.run]))
            for one in self.conditions
            if one.run < len(self.ids) and self.ids[one.run] in ids
        )
        return self.but(baseline=ids[0] if ids else "", others=ids[1:], conditions=kept)

    def flipped(self, metric: str) -> str:
        has = metric in self.lower
        return self.but(lower=tuple(one for one in self.lower if one != metric) if has else (*self.lower, metric))


def state_from(query: QueryDict) -> State:
    """`id` names runs without saying which is the baseline. A new condition may come in parts."""
    baseline = _text(query.get("baseline", ""))
    named = [_text(one) for one in (*query.getlist("with"), *query.getlist("id"))]
    ids = list(dict.fromkeys(one for one in (baseline, *named) if one))
    page = query.get("page", "")
    layout, diff = query.get("layout", ""), query.get("diff", "")
    return State(
        baseline=ids[0] if ids else "",
        others=tuple(ids[1 : 1 + MOST_OTHERS]),
        layout=layout if layout in LAYOUTS else LAYOUTS[0],
        sort=_text(query.get("sort", "")),
        lower=tuple(dict.fromkeys(_text(one) for one in query.getlist("low")[:_MOST_CONDITIONS] if one)),
        conditions=_conditions(query),
        only_matched=query.get("items") == "both",
        diff=diff if diff in DIFFS else "",
        with_significance=query.get("significance") == "1",
        page=min(max(1, int(page)), _MOST_PAGES) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _conditions(query: QueryDict) -> tuple[Condition, ...]:
    found = [Condition.parse(_text(one)) for one in query.getlist("where")[:_MOST_CONDITIONS]]
    if query.get("metric"):
        operator = query.get("op", "")
        written = f"{query.get('run', '0')}:{operator}:{query.get('value', '').strip()}:{query.get('metric')}"
        found.append(Condition.parse(_text(written)) if operator in OPERATORS else None)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def is_canonical(query: QueryDict) -> bool:
    """Whether nothing in the address is there only because a form could not say it better."""
    return not any(name in query for name in ("id", "metric", "run", "op", "value"))


def _text(text: str) -> str:
    return text.replace("\x00", "")[:_LONGEST]
