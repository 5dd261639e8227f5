"""One trace: the frame with its facts, the tree and timeline, and the pane with one observation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, cached_property

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import NotFound
from config.rendering import render_page
from tracing.analytics.records import Observation, Score, Trace
from tracing.forms import text_from
from tracing.queries import said, trace_page
from tracing.queries.trace_page import Totals
from tracing.views import tree as trees
from tracing.views.acts.public import open_to_strangers
from tracing.views.shown import ShownObservation, ShownTrace
from tracing.views.trace import graph as graphs

#: rows that are in the HTML itself; the browser draws the rest from the skeleton
ROWS_IN_PAGE = 100
#: without a script, on each of the pages that follow one another
ROWS_ON_DEMAND = 2_000
#: a longer trace is not read whole for the page itself: its first rows come from its first observations
READ_WHOLE = 2_000
_READ_FIRST = 400
SHOWS = ("tree", "graph", "log")
#: what nothing was written to for so long is no longer waited for, though it never ended
_LIVE_AFTER_WRITE = timedelta(minutes=15)
#: a trace whose last observation has just ended may go on with the next one
_SETTLES_AFTER = timedelta(seconds=10)


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_detail(request: HttpRequest, scope: ProjectScope, trace_id: str) -> HttpResponse:
    trace = trace_page.get_trace_record(scope, trace_id)
    show = request.GET.get("show", "")
    page = TracePage(
        scope,
        trace,
        observation_id=request.GET.get("observation", ""),
        find=text_from(request.GET, "find"),
        rows=request.GET.get("rows", ""),
    )
    context = {
        "scope": scope,
        "layout": "tracing/public.html" if scope.role is Role.NONE else "base.html",
        "trace": trace,
        "page": page,
        "find": page.find,
        "show": show if show in SHOWS else "tree",
        "view": "json" if request.GET.get("view") == "json" else "pretty",
        "is_part": request.headers.get("HX-Target") == "trace",
        "graph_kind": "expanded" if request.GET.get("graph") == "expanded" else "aggregated",
    }
    parts = ("trace", "observation", "trace-facts", "trace-graph")
    return render_page(request, "tracing/trace_detail.html", context, fragment=parts)


def is_live(totals: Totals, now: datetime | None = None) -> bool:
    """Whether more is to be expected: something runs, or was written a moment ago."""
    if not totals.observations:
        return False
    written = datetime.fromtimestamp(totals.newest_version / 1_000_000, UTC)
    age = (now or datetime.now(UTC)) - written
    return age < (_LIVE_AFTER_WRITE if totals.running else _SETTLES_AFTER)


class TracePage:
    """Read lazily: a fragment asks only for what it shows."""

    def __init__(self, scope: ProjectScope, trace: Trace, *, observation_id: str, find: str, rows: str) -> None:
        self._scope, self.trace, self._observation_id, self.find = scope, trace, observation_id, find
        self._rows = rows
        self.totals = cache(lambda: trace_page.totals(scope, trace))
        self.nodes = cache(lambda: trace_page.list_nodes(scope, trace))
        self.scores = cache(lambda: said.list_scores_of(scope, trace_id=trace.id))
        self.tree = cache(self._tree)
        self.shown = cache(self._shown)
        self.graph = cache(self._graph)

    # --- The tree ---------------------------------------------------------------------------------------
    @property
    def is_read_whole(self) -> bool:
        return bool(self._rows or self.find or self.totals().observations <= READ_WHOLE)

    def _tree(self) -> trees.Tree:
        if not self.is_read_whole:
            return self._first_of_tree()
        only = trace_page.find_in_trace(self._scope, self.trace, self.find) if self.find else None
        return trees.grow(self.nodes(), only=only, missing_name=_("Parent not received"))

    def _first_of_tree(self) -> trees.Tree:
        """The rows that begin a long trace. What its first observations belong to is among them, or comes with the
        skeleton; sums are not known yet."""
        first = trace_page.list_nodes(self._scope, self.trace, limit=_READ_FIRST)
        return trees.beginning(first, end=self.totals().last_end)

    @property
    def orphans(self) -> int:
        """Of a long trace they are not counted: they are marked where they stand."""
        return self.tree().orphans if self.totals().observations <= READ_WHOLE else 0

    @property
    def is_live(self) -> bool:
        return is_live(self.totals())

    @cached_property
    def first_row(self) -> int:
        """Of the page of rows that is asked for."""
        return int(self._rows) if self._rows.isascii() and self._rows.isdigit() and len(self._rows) < 9 else 0

    @property
    def rows(self) -> list[trees.Row]:
        count = ROWS_ON_DEMAND if self._rows else ROWS_IN_PAGE
        return self.tree().rows[self.first_row : self.first_row + count]

    @property
    def row_count(self) -> int:
        return len(self.tree().rows) if self.is_read_whole else self.totals().observations

    @property
    def next_rows(self) -> int | None:
        """Where those begin that are not in the page, if there are any."""
        after = self.first_row + len(self.rows) if self._rows else 0
        return after if (after or len(self.rows)) < self.row_count else None

    @property
    def log(self) -> list[trees.Row]:
        """The same rows by time, for a page without a script."""
        found = [row for row in self.rows if not row.is_missing]
        return sorted(found, key=lambda row: (row.start_us, row.id))

    # --- The pane ---------------------------------------------------------------------------------------
    @property
    def has_trace_row(self) -> bool:
        """The trace is shown by itself where it says what none of its observations does."""
        return bool(self.trace.input or self.trace.output or not self.trace.root_id)

    @property
    def selected_id(self) -> str:
        if self._observation_id or self.has_trace_row:
            return self._observation_id
        return self.trace.root_id

    def _shown(self) -> ShownObservation | ShownTrace:
        if not self.selected_id:
            return ShownTrace(self._scope, self.trace, self._scores_of(""))
        try:
            record = trace_page.get_observation(self._scope, self.trace, self.selected_id)
        except NotFound:
            if self._observation_id:
                raise
            return ShownTrace(self._scope, self.trace, self._scores_of(""))
        return ShownObservation(self._scope, self.trace, record, self._scores_shown_with(record))

    def _scores_of(self, observation_id: str) -> list[Score]:
        return [score for score in self.scores() if score.observation_id == observation_id]

    def _scores_shown_with(self, record: Observation) -> list[Score]:
        own = self._scores_of(record.id)
        return own + self._scores_of("") if record.id == self.trace.root_id and not self.has_trace_row else own

    # --- The graph --------------------------------------------------------------------------------------
    def _graph(self) -> dict[str, graphs.Graph]:
        steps = trace_page.list_steps(self._scope, self.trace, limit=graphs.MOST_STEPS)
        left_out = self.totals().observations - len(steps)
        return {kind: graphs.draw(steps, kind, left_out=left_out) for kind in graphs.KINDS}
