"""Answers that are not pages."""

from __future__ import annotations

from django.http import HttpResponseRedirect


class SeeOther(HttpResponseRedirect):
    """The answer to a form that was carried out: look there, by GET."""

    status_code = 303


def see_other(url: str) -> SeeOther:
    return SeeOther(url)
