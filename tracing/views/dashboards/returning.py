"""Where a page was opened from, to lead back to it."""

from __future__ import annotations

from django.http import QueryDict
from django.utils.http import url_has_allowed_host_and_scheme


def back_from(query: QueryDict) -> str:
    """The address that a link or form names as `next`; empty where it names none, or one that is not ours."""
    address = query.get("next", "").replace("\x00", "")
    return address if address.startswith("/") and url_has_allowed_host_and_scheme(address, None) else ""
