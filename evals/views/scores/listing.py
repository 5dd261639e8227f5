"""All scores of a project: filtered, paged by key, deleted in bulk, taken away as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.api.values import iso, to_json
from config.errors import Invalid, NotFound, SpanwiseError, TooExpensive, Unavailable
from config.posting import posted_from
from config.rendering import render_page
from evals.actions.score_removal import start_score_deletion
from evals.queries import scores as queries
from evals.queries.score_filters import exact_scores_from, scores_from
from evals.queries.scores import OBSERVATION, RUN, SESSION, SHOWN_FACETS, TRACE, ScoreRow, ScoreWanted
from tracing.analytics.records import Score, ScoreSource, ScoreType
from tracing.forms import period_from
from tracing.queries import said
from tracing.queries.explorer.histogram import Pulse, PulseBar
from tracing.queries.explorer.wanted import Measure
from tracing.queries.exports import csv_line
from tracing.queries.paging import Keyed
from tracing.views.bulk import tell
from tracing.views.lists import strip
from tracing.views.ranges import range_labels

PAGE_SIZE = 50
_PLACES = ("before",)
_WORDS = ("trace_name", "user", "session", "tag")
_EXPORTED = (
    "id", "timestamp", "name", "dataType", "value", "stringValue", "source", "comment", "traceId", "observationId",
    "sessionId", "datasetRunId", "environment", "authorUserId", "configId", "queueId", "executionTraceId",
    "traceName", "userId",
)  # fmt: skip


def source_names() -> dict[str, str]:
    return {
        ScoreSource.EVAL.value: _("Judge"),
        ScoreSource.ANNOTATION.value: _("Person"),
        ScoreSource.API.value: _("API"),
    }


def type_names() -> dict[str, str]:
    return {
        ScoreType.NUMERIC.value: _("Number"),
        ScoreType.CATEGORICAL.value: _("Category"),
        ScoreType.BOOLEAN.value: _("Yes or no"),
        ScoreType.TEXT.value: _("Text"),
        ScoreType.CORRECTION.value: _("Correction"),
    }


def kind_names() -> dict[str, str]:
    return {
        TRACE: _("Trace"),
        OBSERVATION: _("Observation"),
        SESSION: _("Session"),
        RUN: _("Experiment"),
    }


@dataclass(frozen=True, slots=True)
class FacetValue:
    value: str
    label: str
    count: int
    is_chosen: bool
    url: str


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    label: str
    values: list[FacetValue]

    @property
    def is_active(self) -> bool:
        return any(value.is_chosen for value in self.values)


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the list."""

    row: ScoreRow
    project_id: str
    author: str
    source: str
    kind: str

    @property
    def score(self) -> Score:
        return self.row.score

    @property
    def target_url(self) -> str:
        score = self.score
        if score.session_id:
            return reverse("tracing:session-detail", args=[self.project_id, score.session_id])
        if score.dataset_run_id:
            address = reverse("evals:experiment-compare", args=[self.project_id])
            return f"{address}?{urlencode({'baseline': score.dataset_run_id})}"
        if not score.trace_id or self.row.trace is None:
            return ""
        url = reverse("tracing:trace-detail", args=[self.project_id, score.trace_id])
        return f"{url}?{urlencode({'observation': score.observation_id})}" if score.observation_id else url

    @property
    def target_name(self) -> str:
        score = self.score
        name = self.row.trace.name if self.row.trace else ""
        return name or score.session_id or score.dataset_run_id or score.trace_id

    @property
    def is_gone(self) -> bool:
        return bool(self.score.trace_id) and self.row.trace is None


class ScoreList:
    """What the page shows, each part read when it is asked for."""

    def __init__(self, request: HttpRequest, scope: ProjectScope) -> None:
        self._query, self.scope, self._path = request.GET, scope, request.path
        self.wanted = scores_from(request.GET, period_from(request.GET))

    @cached_property
    def _read(self) -> tuple[Keyed[ScoreRow], SpanwiseError | None]:
        cursor = self._query.get("before", "").replace("\x00", "")
        try:
            return queries.list_scores(self.scope, self.wanted, cursor=cursor, limit=PAGE_SIZE), None
        except (TooExpensive, Unavailable) as error:
            return Keyed([]), error  # the filters stay, so that they can be changed

    @property
    def problem(self) -> SpanwiseError | None:
        return self._read[1]

    @property
    def next_cursor(self) -> str:
        return self._read[0].next_cursor

    @cached_property
    def rows(self) -> list[Shown]:
        found = self._read[0].items
        names = said.names_of_people(self.scope, {row.score.author_user_id for row in found})
        sources, kinds = source_names(), kind_names()
        return [
            Shown(
                row,
                self.scope.project_id,
                names.get(row.score.author_user_id, ""),
                sources.get(row.score.source, row.score.source),
                kinds[_kind_of(row.score)],
            )
            for row in found
        ]

    @cached_property
    def facets(self) -> list[Facet]:
        try:
            found = queries.facets_of(self.scope, self.wanted)
        except (TooExpensive, Unavailable):
            return []
        labels = {
            "name": _("Name"), "source": _("From"), "type": _("Kind"), "kind": _("About"), "value": _("Value"),
            "environment": _("Environment"), "author": _("Person"),
        }  # fmt: skip
        people = said.names_of_people(self.scope, [value for value, _number in found["author"]])
        words = {"source": source_names(), "type": type_names(), "kind": kind_names(), "author": people}
        words["value"] = {"True": _("Yes"), "False": _("No")}  # as the list says them
        facets = [self._facet(name, labels[name], found[name], words.get(name, {})) for name in SHOWN_FACETS]
        return [facet for facet in facets if facet.values]

    def _facet(self, name: str, label: str, counted: list[tuple[str, int]], words: dict[str, str]) -> Facet:
        chosen = self.wanted.chosen.get(name, ())
        known = [value for value, _number in counted]
        values = [*counted, *((value, 0) for value in chosen if value not in known)]
        return Facet(
            name,
            label,
            [
                FacetValue(value, words.get(value, value), number, value in chosen, self._toggled(name, value))
                for value, number in values
                if value
            ],
        )

    def _toggled(self, name: str, value: str) -> str:
        query = self._query.copy()
        values = query.getlist(name)
        query.setlist(name, [one for one in values if one != value] if value in values else [*values, value])
        for place in _PLACES:
            query.pop(place, None)
        return f"{self._path}?{query.urlencode()}"

    @cached_property
    def pulse(self) -> strip.Strip | None:
        try:
            bars = queries.counts_over_time(self.scope, self.wanted)
        except (TooExpensive, Unavailable):
            return None
        if not bars:
            return None
        shown = [PulseBar(bar.at, bar.until, bar.count) for bar in bars]
        return strip.draw(Pulse(shown, Measure.COUNT, bars[0].at, bars[-1].until), self._query)

    @property
    def terms(self) -> list[tuple[str, str, str]]:
        """Words, value and the address without it, of filters that no facet shows."""
        labels = {
            "trace_name": _("trace"), "user": _("user"), "session": _("session"), "tag": _("tag"),
            "low": _("at least"), "high": _("at most"), "config": _("score config"), "queue": _("queue"),
        }  # fmt: skip
        found = []
        for name, label in labels.items():
            if self._query.get(name):
                query = self._query.copy()
                query.pop(name)
                query.pop("before", None)
                found.append((label, self._query[name][:200], f"{self._path}?{query.urlencode()}"))
        return found

    @property
    def number(self) -> int:
        """Of those that match, for the offer to delete them all."""
        return queries.count_scores(self.scope, self.wanted)

    @property
    def query_text(self) -> str:
        query = self._query.copy()
        query.pop("before", None)
        return query.urlencode()


def _kind_of(score: Score) -> str:
    if score.dataset_run_id:
        return RUN
    if score.session_id:
        return SESSION
    return OBSERVATION if score.observation_id else TRACE


@require_safe
@project_page(Role.VIEWER)
def score_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    shown = ScoreList(request, scope)
    context = {
        "scope": scope,
        "list": shown,
        "period": shown.wanted.period,
        "ranges": range_labels(),
        "may_edit": scope.role.allows(Role.MEMBER),
        "words": {name: getattr(shown.wanted, name) for name in _WORDS},
    }
    return render_page(request, "evals/score_list.html", context)


@posted_from("evals:score-list")
@project_page(Role.MEMBER)
def score_delete_many(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Ticked ones, or with `all=1` those that match `query`. Asks first, unless the form says that it did."""
    ids = tuple(dict.fromkeys(one for one in request.POST.getlist("item") if one and "\x00" not in one))
    text = request.POST.get("query", "") if request.POST.get("all") else None
    back = (
        f"{reverse('evals:score-list', args=[scope.project_id])}?{QueryDict(request.POST.get('query', '')).urlencode()}"
    )
    if request.POST.get("confirmed") == "1":
        tell(request, scope, start_score_deletion(scope, ids=ids, query=text, actor=Actor.of(request)))
        return see_other(back)
    if text is None and not ids:
        raise Invalid(_("Nothing is selected."))
    number = len(ids) if text is None else queries.count_scores(scope, exact_scores_from(QueryDict(text)))
    context = {
        "scope": scope,
        "ids": ids,
        "is_all": text is not None,
        "query": request.POST.get("query", ""),
        "number": number,
        "back": back,
    }
    return render_page(request, "evals/score_delete.html", context)


# --- As a file -------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.VIEWER)
def score_export(request: HttpRequest, scope: ProjectScope, format: str) -> HttpResponseBase:
    """All that the list shows, as `csv` or `jsonl`."""
    if format not in ("csv", "jsonl"):
        raise NotFound("There is no such export.")
    wanted = exact_scores_from(request.GET)
    write = _as_csv if format == "csv" else _as_lines
    kind = "text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson"
    response = StreamingHttpResponse(write(scope, wanted), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="scores.{format}"'
    response["Cache-Control"] = "private, no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def _as_lines(scope: ProjectScope, wanted: ScoreWanted) -> Iterator[bytes]:
    try:
        for batch in queries.each_score(scope, wanted):
            yield b"".join(to_json(_exported(row)) + b"\n" for row in batch)
    except SpanwiseError as error:
        yield to_json({"error": _("The export is incomplete: %(why)s") % {"why": error.message}}) + b"\n"


def _as_csv(scope: ProjectScope, wanted: ScoreWanted) -> Iterator[bytes]:
    # Without the mark Excel takes the file for one of the last century's code pages.
    yield b"\xef\xbb\xbf" + csv_line(_EXPORTED)
    try:
        for batch in queries.each_score(scope, wanted):
            yield b"".join(csv_line(["" if v is None else v for v in _exported(row).values()]) for row in batch)
    except SpanwiseError as error:
        yield csv_line(["ERROR", _("The export is incomplete: %(why)s") % {"why": error.message}])
        raise


def _exported(row: ScoreRow) -> dict[str, Any]:
    score, trace = row.score, row.trace
    values = (
        score.id, iso(score.timestamp), score.name, score.data_type, score.value, score.string_value, score.source,
        score.comment, score.trace_id, score.observation_id, score.session_id, score.dataset_run_id,
        score.environment, score.author_user_id, score.config_id, score.queue_id, score.execution_trace_id,
        trace.name if trace else "", trace.user_id if trace else "",
    )  # fmt: skip
    return dict(zip(_EXPORTED, values, strict=True))
