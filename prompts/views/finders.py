"""What the command palette finds of prompts and playgrounds: those with the words in their names."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.palette import MOST, Found
from prompts.drawing import prompt_url
from prompts.queries.playground import list_playgrounds
from prompts.queries.prompts import prompts
from tracing.queries.paging import PageNumber


def find_prompts(request: HttpRequest, scope: ProjectScope, text: str) -> Iterator[Found]:
    if not text or "\x00" in text:
        return
    for prompt in prompts(scope).filter(name__icontains=text).order_by("name")[:MOST]:
        yield Found(_("Prompts"), prompt.name, prompt_url(scope.project_id, prompt.name), "prompt")


def find_playgrounds(request: HttpRequest, scope: ProjectScope, text: str) -> Iterator[Found]:
    if not text:
        return
    for one in list_playgrounds(scope, text, PageNumber(1, MOST)).items:
        url = reverse("prompts:playground", args=[scope.project_id, one.pk])
        yield Found(_("Playgrounds"), one.title, url, "play", ", ".join(dict.fromkeys(filter(None, one.models))))
