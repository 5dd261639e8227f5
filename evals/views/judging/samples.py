"""What a judge is tried on: the newest things of its kind, one of them open, and what the variables are in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from urllib.parse import quote, unquote, urlencode

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString

from accounts.access import ProjectScope
from config.errors import NotFound, SpanwiseError
from evals.judging.mapping import resolve, sources_of
from evals.judging.targets import Loaded, Sample, Target, load, recent
from evals.models import TargetKind
from evals.views.judging.drafts import Draft, MapRow
from evals.views.judging.tree import sample_tree
from tracing.queries.periods import is_known_year

_MOST_SAMPLES = 30
#: of a value, in its preview
SHOWN = 400


def target_key(target: Target) -> str:
    """The target as forms and addresses write it."""
    at = target.at.isoformat() if target.at else ""
    return "~".join(quote(part, safe="") for part in (target.trace_id, target.observation_id, target.session_id, at))


def read_target(kind: str, key: str) -> Target | None:
    """None for what no page of ours wrote."""
    parts = [unquote(part).replace("\x00", "")[:255] for part in key.split("~")]
    if len(parts) != 4 or not any(parts[:3]):
        return None
    return Target(TargetKind(kind), parts[0], parts[1], parts[2], _moment(parts[3]))


def target_url(scope: ProjectScope, target: Target) -> str:
    """The page that shows it."""
    if target.kind == TargetKind.SESSION:
        return reverse("tracing:session-detail", args=[scope.project_id, target.session_id])
    url = reverse("tracing:trace-detail", args=[scope.project_id, target.trace_id])
    return f"{url}?{urlencode({'observation': target.observation_id})}" if target.observation_id else url


@dataclass
class SamplePane:
    """The right side of the editor. Reads when it is asked, and knows what could not be read."""

    scope: ProjectScope
    draft: Draft
    problem: SpanwiseError | None = None
    samples: list[Sample] = field(default_factory=list)
    target: Target | None = None
    loaded: Loaded | None = None

    def read(self, wish: str = "") -> SamplePane:
        """`wish`: next, previous, or nothing. The chosen sample is written into the draft."""
        kind = TargetKind(self.draft.target)
        try:
            self.samples = self._recent(kind)
            self.target = self._chosen(wish)
            self.loaded = load(self.scope, self.target) if self.target else None
        except NotFound:  # it was deleted meanwhile
            self.target = None
        except SpanwiseError as error:
            self.problem = error
        self.draft.sample = target_key(self.target) if self.target else ""
        if self.loaded:
            self._preview(self.loaded)
        return self

    def _recent(self, kind: TargetKind) -> list[Sample]:
        """Those with the words in their name. Of observations, calls to models are what is mostly judged: the others
        are shown where there are none, or where a name asks for them."""
        name = self.draft.sample_name
        if name:
            column = "sessionId" if kind == TargetKind.SESSION else "name"
            asked = {"type": "string", "column": column, "operator": "contains", "value": name}
            return recent(self.scope, kind, filter=[asked], limit=_MOST_SAMPLES)
        if kind == TargetKind.OBSERVATION:
            calls = {"type": "string", "column": "type", "operator": "=", "value": "GENERATION"}
            if found := recent(self.scope, kind, filter=[calls], limit=_MOST_SAMPLES):
                return found
        return recent(self.scope, kind, limit=_MOST_SAMPLES)

    def _chosen(self, wish: str) -> Target | None:
        asked = read_target(self.draft.target, self.draft.sample)
        keys = [target_key(one.target) for one in self.samples]
        if asked is None:
            return self.samples[0].target if self.samples else None
        if wish and target_key(asked) in keys:
            step = 1 if wish == "next" else -1
            place = min(max(keys.index(target_key(asked)) + step, 0), len(keys) - 1)
            return self.samples[place].target
        return asked

    def _preview(self, loaded: Loaded) -> None:
        found = resolve(loaded.document, [row.entry for row in self.draft.mapping if row.source])
        for row in self.draft.mapping:
            if (value := found.get(row.variable)) is not None:
                row.value, row.problem, row.is_cut = value.value, value.problem, value.is_cut

    @property
    def key(self) -> str:
        return self.draft.sample

    @cached_property
    def place(self) -> int | None:
        """From 1; None for one that is not in the list."""
        keys = [target_key(one.target) for one in self.samples]
        return keys.index(self.key) + 1 if self.key in keys else None

    @property
    def has_next(self) -> bool:
        return self.place is not None and self.place < len(self.samples)

    @property
    def has_previous(self) -> bool:
        return self.place is not None and self.place > 1

    @property
    def rows(self) -> list[tuple[str, Sample, bool]]:
        """Key, sample, whether it is the one that is open."""
        return [(key, one, key == self.key) for one in self.samples for key in (target_key(one.target),)]

    @property
    def url(self) -> str:
        return target_url(self.scope, self.target) if self.target else ""

    @property
    def trees(self) -> list[tuple[str, SafeString]]:
        """Label and tree of each source that the sample has."""
        if self.loaded is None:
            return []
        labels = {one.key: str(one.label) for one in sources_of(TargetKind(self.draft.target))}
        document = self.loaded.document
        keys = [key for key in labels if document.get(key) not in (None, "", {}, [])]
        return [(labels[key], sample_tree(key, document[key])) for key in keys]

    def shown(self, row: MapRow) -> str:
        return (row.value or "")[:SHOWN]


def _moment(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None and is_known_year(at) else None
