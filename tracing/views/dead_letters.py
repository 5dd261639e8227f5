"""What was accepted but could not be stored: seen, and sent again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.posting import posted_from
from config.rendering import render_page
from tracing.ingest import dead_letters
from tracing.queries import problems


@require_safe
@project_page(Role.VIEWER)
def dead_letter_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    show_replayed = request.GET.get("show") == "replayed"
    page = problems.list_dead_letters(scope, replayed=show_replayed, before=request.GET.get("before", ""))
    context = {
        "scope": scope,
        "page": page,
        "show_replayed": show_replayed,
        "may_replay": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "tracing/dead_letter_list.html", context)


@posted_from("tracing:dead-letter-list")
@project_page(Role.MEMBER)
def dead_letter_replay(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """The chosen letters, or all that wait."""
    ids = request.POST.getlist("id") or problems.waiting_ids(scope)
    replayed = dead_letters.replay(scope, [letter_id for letter_id in ids if problems.is_id(letter_id)])
    _tell(request, replayed)
    return HttpResponseRedirect(reverse("tracing:dead-letter-list", args=[scope.project_id]), status=303)


def _tell(request: HttpRequest, replayed: dead_letters.Replayed) -> None:
    sent, unreadable = replayed.sent, replayed.unreadable
    if sent or not unreadable:
        text = ngettext("%(count)d payload was sent again.", "%(count)d payloads were sent again.", sent)
        messages.success(request, text % {"count": sent})
    if unreadable:
        text = ngettext(
            "%(count)d payload cannot be read and waits on: its file is missing or broken.",
            "%(count)d payloads cannot be read and wait on: their files are missing or broken.",
            unreadable,
        )
        messages.warning(request, text % {"count": unreadable})
