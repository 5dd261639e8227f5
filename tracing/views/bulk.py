"""What is done to the rows selected in a list: asked once more with what it comes to, then begun as a job."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from config.errors import Invalid, NotFound, TooExpensive
from config.posting import posted_from
from config.rendering import render_page
from tracing.actions import bulk
from tracing.actions.annotate import Annotation
from tracing.actions.removal import count_with_traces
from tracing.forms import exact_wanted_from
from tracing.models.jobs import Job, JobStatus
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Counted
from tracing.queries.queue_choices import list_queue_choices
from tracing.queries.score_choices import list_score_choices
from tracing.queries.selection import COUNTED_AT_MOST, MOST_IDS, RowId, Selection, count_selected
from tracing.views.jobs import ShownJob
from tracing.views.lists.addresses import list_url, posted_from_list

ACTS = ("delete", "tag", "bookmark", "unbookmark", "score", "queue")
#: what can be done to a session as such; the rest is done to its traces
_ACTS_ON_SESSIONS = ("queue",)
#: beyond this the dialog does not count what hangs on the traces
_COUNTED_WITH = 1_000


def selection_from(post: QueryDict, noun: Noun) -> Selection:
    """`all=1` with the list's `query`, or `ids`: quoted ids with blanks between them, of observations `trace/id`."""
    if post.get("all") and noun is not Noun.SESSIONS:
        if "query" not in post:
            raise Invalid(_("Nothing is selected."))
        return Selection.all_of(exact_wanted_from(QueryDict(post.get("query", "").lstrip("?")), noun))
    written = [*post.get("ids", "").split(), *post.getlist("id")]
    ids = tuple(dict.fromkeys(_row_id(one, noun) for one in written if one))
    if not ids:
        raise Invalid(_("Nothing is selected."))
    if len(ids) > MOST_IDS:
        message = _("At most %(most)s rows can be chosen one by one. Select all that match instead.")
        raise Invalid(message % {"most": f"{MOST_IDS:,}"})
    return Selection(noun, ids)


def _row_id(written: str, noun: Noun) -> RowId:
    trace_id, _slash, row_id = written.partition("/")
    trace_id, row_id = unquote(trace_id), unquote(row_id)
    if "\x00" in trace_id + row_id:  # without it, it would be another one's id
        raise Invalid(_("No id has a NUL in it."))
    return RowId(trace_id, row_id if noun is Noun.OBSERVATIONS else trace_id)


def _confirm(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponse:
    """What the act comes to, and its form. Changes nothing."""
    act = _act(request.POST, noun)
    selection = selection_from(request.POST, noun)
    counted = count_selected(scope, selection)
    context = {
        "scope": scope,
        "noun": noun.value,
        "act": act,
        "counted": counted,
        "number": _number(counted),
        "also": _also(scope, selection) if act == "delete" else None,
        "score_choices": list_score_choices(scope) if act == "score" else (),
        "queue_choices": list_queue_choices(scope) if act == "queue" else (),
        "post": request.POST,
        "back": _back(scope, noun, request.POST),
    }
    return render_page(request, "tracing/bulk_confirm.html", context, fragment="confirm")


def _do(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponse:
    act, actor = _act(request.POST, noun), Actor.of(request)
    selection = selection_from(request.POST, noun)
    starts: dict[str, Callable[[], Job]] = {
        "delete": lambda: bulk.start_deletion(scope, selection, actor=actor),
        "tag": lambda: bulk.start_tagging(
            scope, selection, add=_tags(request.POST, "add"), remove=_tags(request.POST, "remove"), actor=actor
        ),
        "bookmark": lambda: bulk.start_bookmarking(scope, selection, bookmarked=True, actor=actor),
        "unbookmark": lambda: bulk.start_bookmarking(scope, selection, bookmarked=False, actor=actor),
        "score": lambda: bulk.start_scoring(scope, selection, _annotation(request.POST), actor=actor),
        "queue": lambda: bulk.start_queueing(
            scope,
            selection,
            request.POST.get("queue", ""),
            of_sessions=request.POST.get("what") == "sessions",
            actor=actor,
        ),
    }
    tell(request, scope, starts[act]())
    return HttpResponseRedirect(_back(scope, noun, request.POST), status=303)


def _act(post: QueryDict, noun: Noun) -> str:
    act: str = post.get("act", "")
    if act not in (_ACTS_ON_SESSIONS if noun is Noun.SESSIONS else ACTS):
        raise Invalid(_("There is no such act."))
    return act


trace_bulk_confirm = posted_from_list(Noun.TRACES, Role.MEMBER, _confirm)
trace_bulk = posted_from_list(Noun.TRACES, Role.MEMBER, _do)
observation_bulk_confirm = posted_from_list(Noun.OBSERVATIONS, Role.MEMBER, _confirm)
observation_bulk = posted_from_list(Noun.OBSERVATIONS, Role.MEMBER, _do)
session_bulk_confirm = posted_from_list(Noun.SESSIONS, Role.MEMBER, _confirm)
session_bulk = posted_from_list(Noun.SESSIONS, Role.MEMBER, _do)


@require_safe
@project_page(Role.VIEWER)
def count_matching(request: HttpRequest, scope: ProjectScope, noun: str) -> HttpResponse:
    """How many rows a list's filters match, in words: for the offer to select all of them."""
    if noun not in (Noun.TRACES, Noun.OBSERVATIONS):
        raise NotFound("There is no such list.")
    wanted = exact_wanted_from(request.GET, Noun(noun))
    context = {"number": _number(count_selected(scope, Selection.all_of(wanted)))}
    return render_page(request, "tracing/_count.html", context)


@posted_from("tracing:user-list")
@project_page(Role.MEMBER)
def user_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Everything of one user of the traced application. Asks first, unless the form says that it did."""
    user_id = request.POST.get("user", "")
    if not user_id or "\x00" in user_id:
        raise Invalid(_("Nothing is selected."))
    if request.POST.get("confirmed") != "1":
        context = {"scope": scope, "user_id": user_id}
        return render_page(request, "tracing/user_delete.html", context, fragment="confirm")
    job = bulk.start_user_deletion(scope, user_id, actor=Actor.of(request))
    return HttpResponseRedirect(reverse("tracing:job-detail", args=[scope.project_id, job.pk]), status=303)


def tell(request: HttpRequest, scope: ProjectScope, job: Job) -> None:
    """One line with a link to the job: what it did, or that it runs."""
    shown = ShownJob(job)
    url = reverse("tracing:job-detail", args=[scope.project_id, job.pk])
    if job.is_unfinished:
        text, link = (
            _("%(title)s: begun, %(done)s done so far.")
            % {
                "title": shown.title,
                "done": f"{job.done:,}",
            },
            _("Follow it"),
        )
    elif job.status == JobStatus.DONE:
        rows = ngettext("%(number)s row", "%(number)s rows", job.done) % {"number": f"{job.done:,}"}
        text, link = _("%(title)s: done, %(rows)s.") % {"title": shown.title, "rows": rows}, _("Receipt")
    else:
        text, link = f"{shown.title}: {shown.status}. {job.message}", _("What happened")
    level = messages.SUCCESS if job.status in (JobStatus.DONE, *_UNFINISHED) and not job.failed else messages.WARNING
    messages.add_message(request, level, format_html('{} <a class="link" href="{}">{}</a>', text, url, link))


_UNFINISHED = (JobStatus.QUEUED, JobStatus.RUNNING)


def _also(scope: ProjectScope, selection: Selection) -> dict[str, int] | None:
    """What goes with the selected traces; None where that is too much to count while somebody waits."""
    if selection.wanted is not None or len(selection.ids) > _COUNTED_WITH:
        return None
    try:
        return count_with_traces(scope, selection.trace_ids)
    except TooExpensive:
        return None


def _number(counted: Counted) -> str:
    return f"{counted.number:,}" if counted.is_all else f"≥ {COUNTED_AT_MOST:,}"


def _back(scope: ProjectScope, noun: Noun, post: QueryDict) -> str:
    """The list as it was, at its first page: rows that are gone have no place in it."""
    query = QueryDict(post.get("query", "").lstrip("?"), mutable=True)
    for name in ("before", "peek", "observation"):
        query.pop(name, None)
    return list_url(scope, noun, query)


def _tags(post: QueryDict, name: str) -> list[str]:
    """Written with commas between them."""
    return list(dict.fromkeys(tag.strip() for tag in post.get(name, "").replace("\x00", "").split(",") if tag.strip()))


def _annotation(post: QueryDict) -> Annotation:
    """A score config and the value that its form gave; a number where it is one."""
    config_id = post.get("config", "")
    text = post.get(f"value-{config_id}", "").strip()
    if not config_id:
        raise Invalid(_("Choose a score."))
    if not text:
        raise Invalid(_("Give the score a value."))
    if post.get(f"type-{config_id}") == "number":
        try:
            return Annotation(value=float(text), config_id=config_id, comment=post.get("comment", ""))
        except ValueError as error:
            raise Invalid(_("“%(text)s” is no number.") % {"text": text}) from error
    return Annotation(value=text, config_id=config_id, comment=post.get("comment", ""))
