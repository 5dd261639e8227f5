"""Writing a version: the first of a prompt, the next one, or a copy; looked through before it is saved."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Forbidden, Invalid, NotFound
from config.posting import posted_from
from config.rendering import render_page
from prompts.actions import prompts as actions
from prompts.actions.prompts import NewVersion
from prompts.difference import as_text, compare, config_text
from prompts.drawing import prompt_url
from prompts.models import LATEST, MESSAGE_LENGTH, NAME_LENGTH, PRODUCTION, PromptVersion
from prompts.playground.state import window_of
from prompts.queries import prompts as queries
from prompts.queries.listing import embeddable
from prompts.queries.playground import get_playground
from prompts.views import drafts
from prompts.views.listing import author_of, folders_of, list_url
from tracing.forms import text_from

_MOST_REFERENCES = 50


@require_safe
@project_page(Role.MEMBER)
def prompt_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Empty, in a `folder`; or what comes after `version` of the prompt `from`, or with `copy` another like it; or what
    a `window` of a `playground` says."""
    if request.GET.get("playground"):
        return _form(request, scope, _draft_of_window(scope, request.GET["playground"], request.GET.get("window", "")))
    draft = drafts.Draft()
    folder = text_from(request.GET, "folder").strip("/")
    draft.name = f"{folder}/" if folder else text_from(request.GET, "name")
    if request.GET.get("type") == "chat":
        draft.type = "chat"
    if request.GET.get("from"):
        base = _base(scope, request.GET["from"], request.GET.get("version", ""))
        if base is None:
            raise NotFound(_("There is no such prompt in this project, or it has no such version."))
        draft = drafts.of_version(base, is_next=not request.GET.get("copy"))
    return _form(request, scope, draft)


@posted_from("prompts:prompt-new")
@project_page(Role.MEMBER)
def prompt_create(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """`do` says what: review, save, edit again, or change the rows of messages."""
    draft, wish = drafts.of_post(request.POST), request.POST.get("do", "save")
    _settle(scope, draft)
    if wish not in ("save", "review"):
        drafts.change_shape(draft, wish)
        return _form(request, scope, draft)
    new = drafts.checked(draft)
    if new is not None:
        try:
            if wish == "review":
                actions.check_version(scope, new)
                return _review(request, scope, draft, new)
            version = actions.create_version(scope, new, actor=Actor.of(request))
            messages.success(request, _("Version %(n)d is saved.") % {"n": version.number})
            return see_other(prompt_url(scope.project_id, new.name, version.number))
        except Invalid as refusal:
            drafts.refused(draft, refusal)
        except Forbidden as refusal:
            draft.errors["labels"] = refusal.message
    return _form(request, scope, draft, status=422)


@require_safe
@project_page(Role.MEMBER)
def prompt_references(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Text prompts with how to embed them, for the dialog of the form and as a page of its own."""
    text = text_from(request.GET, "reference")
    rows = []
    for row in embeddable(scope, text, limit=_MOST_REFERENCES):
        start = f"@@@langfusePrompt:name={row.prompt.name}|"
        labels = list(dict.fromkeys([PRODUCTION, *(label for label, _number in row.labels)]))
        standing = {label for label, _number in row.labels}
        ways = [(label, f"{start}label={label}@@@") for label in labels if label in standing]
        ways.append((LATEST, f"{start}label={LATEST}@@@"))
        ways.append((f"v{row.newest.number}", f"{start}version={row.newest.number}@@@"))
        rows.append((row.prompt.name, ways))
    context = {"scope": scope, "rows": rows, "text": text}
    return render_page(request, "prompts/prompt_references.html", context, fragment="references")


def _draft_of_window(scope: ProjectScope, playground_id: str, window_id: str) -> drafts.Draft:
    """The next version of the prompt that the window comes from, or a new prompt."""
    window = window_of(get_playground(scope, playground_id).state, window_id)
    if window is None:
        raise NotFound(_("There is no such window in this playground."))
    link = window["prompt"]
    base = queries.find_version(scope, link["name"], number=link["version"]) if link else None
    draft = drafts.of_window(scope, window, base)
    draft.playground = playground_id
    return draft


def _playground_url(scope: ProjectScope, playground_id: str) -> str:
    """Empty where there is none (any more)."""
    try:
        known = get_playground(scope, playground_id)
    except NotFound:
        return ""
    return reverse("prompts:playground", args=[scope.project_id, known.pk])


def _settle(scope: ProjectScope, draft: drafts.Draft) -> None:
    """Name and type of a next version stay what they are, whatever was sent; a first one needs a name of its own."""
    if not draft.is_next:
        if queries.prompts(scope).filter(name=draft.name).exists():
            draft.errors["name"] = _("There is a prompt of this name: open it and write its next version.")
        return
    base = _base(scope, draft.base, str(draft.base_number or ""))
    if base is None:
        draft.errors["whole"] = _("The version that this one comes from is not there any more.")
    else:
        draft.name, draft.type = base.prompt.name, base.prompt.type


def _base(scope: ProjectScope, name: str, number: str) -> PromptVersion | None:
    """The version that a draft comes from: the newest where no number is given."""
    if number and not (number.isascii() and number.isdigit() and len(number) < 11):
        return None
    return queries.find_version(scope, name, number=int(number) if number else None, label="" if number else LATEST)


def _review(request: HttpRequest, scope: ProjectScope, draft: drafts.Draft, new: NewVersion) -> HttpResponse:
    base = _base(scope, draft.base, str(draft.base_number or "")) if draft.base else None
    standing = queries.standing_labels(base.prompt) if base is not None and draft.is_next else {}
    newest = base.newest if base is not None and draft.is_next else 0
    later = _version_after(scope, base, newest) if base is not None and draft.is_next else None
    before = ("", "{}") if base is None else (as_text(base.said), config_text(base.config))
    context: dict[str, Any] = {
        **_frame(scope, draft),
        "base": base,
        "next_number": newest + 1,
        "later": later,
        "later_author": author_of(later) if later else "",
        "differences": [
            ("content-diff", _("Prompt"), compare(before[0], as_text(new.content))),
            ("config-diff", _("Config"), compare(before[1], config_text(new.config))),
        ],
        "moves": [(label, standing.get(label)) for label in new.labels],
    }
    context["is_same"] = all(difference.is_same for _id, _title, difference in context["differences"])
    return render_page(request, "prompts/prompt_review.html", context)


def _version_after(scope: ProjectScope, base: PromptVersion, newest: int) -> PromptVersion | None:
    """The newest, where it came after the one that was started from."""
    return queries.find_version(scope, base.prompt.name, number=newest) if newest > base.number else None


def _form(request: HttpRequest, scope: ProjectScope, draft: drafts.Draft, status: int = 200) -> HttpResponse:
    return render_page(request, "prompts/prompt_form.html", _frame(scope, draft), status=status)


def _frame(scope: ProjectScope, draft: drafts.Draft) -> dict[str, Any]:
    is_held = PRODUCTION in queries.protected_labels(scope) and not scope.role.allows(Role.ADMIN)
    is_from_here = draft.base and draft.base_number
    back = prompt_url(scope.project_id, draft.base, draft.base_number) if is_from_here else list_url(scope)
    return {
        "scope": scope,
        "draft": draft,
        "roles": drafts.ROLES,
        "folders": [(name, list_url(scope, path)) for name, path in folders_of(draft.name)],
        "may_produce": not is_held,
        "longest_name": NAME_LENGTH,
        "longest_message": MESSAGE_LENGTH,
        "back": back,
        "cancel": _playground_url(scope, draft.playground) or back,
        "empty_row": drafts.MessageRow(),
        "empty_placeholder": drafts.MessageRow("placeholder", ""),
    }
