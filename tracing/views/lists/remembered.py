"""How somebody likes a list: columns, height and number of rows, kept by the browser for each list.

The address says it all, so that a link or a saved view shows others the same. One that says nothing of it leads to the
one that says what was chosen last; `columns=` with nothing behind it goes back to the usual ones.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict

from tracing.queries.explorer.nouns import Noun

PARAMETERS = ("columns", "rows", "size")
_LONGEST = 2000
_YEAR = 365 * 86_400


def with_remembered(request: HttpRequest, noun: Noun) -> str | None:
    """The address's query string with what it does not say itself; None if it says it all."""
    changed = request.GET.copy()
    kept = QueryDict(request.COOKIES.get(_cookie(noun), "")[:_LONGEST])
    for name in PARAMETERS:
        if name not in changed and kept.get(name):
            changed[name] = kept[name]
        elif name in changed and not changed.get(name):
            del changed[name]
    return changed.urlencode() if changed != request.GET else None


def remember(request: HttpRequest, response: HttpResponse, noun: Noun) -> None:
    """Keeps what this address says, where it says something else than what is kept."""
    said = {name: ",".join(request.GET.getlist(name)) for name in PARAMETERS if name in request.GET}
    kept = QueryDict(request.COOKIES.get(_cookie(noun), "")[:_LONGEST]).dict()
    wanted = {name: value for name, value in {**kept, **said}.items() if name in PARAMETERS and value}
    text = urlencode(wanted)
    if wanted == kept or len(text) > _LONGEST:
        return
    if text:
        response.set_cookie(_cookie(noun), text, max_age=_YEAR, path=request.path, samesite="Lax", httponly=True)
    else:
        response.delete_cookie(_cookie(noun), path=request.path, samesite="Lax")


def _cookie(noun: Noun) -> str:
    return f"list-{noun}"
