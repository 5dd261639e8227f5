"""What a browser would send of a form on a page."""

from __future__ import annotations

from typing import Any

import html5lib

Fields = dict[str, list[str]]


def fields_of(page: str, form_id: str) -> Fields:
    """Names and values of all controls that are sent, buttons left out. Templates are no part of a page."""
    tree: Any = html5lib.parse(page, namespaceHTMLElements=False)
    form = next(one for one in tree.iter("form") if one.get("id") == form_id)
    found: Fields = {}
    _collect(form, found)
    return found


def _collect(element: Any, found: Fields) -> None:
    for one in element:
        if one.tag == "template":
            continue
        name = one.get("name")
        if name and one.get("disabled") is None:
            value = _value(one)
            if value is not None:
                found.setdefault(name, []).append(value)
        if one.tag != "select":
            _collect(one, found)


def _value(one: Any) -> str | None:
    if one.tag == "textarea":
        return "".join(one.itertext())
    if one.tag == "select":
        options = list(one.iter("option"))
        chosen = [option for option in options if option.get("selected") is not None] or options[:1]
        return (chosen[0].get("value") or "") if chosen else None
    if one.tag != "input" or one.get("type") in ("submit", "button"):
        return None
    if one.get("type") in ("checkbox", "radio") and one.get("checked") is None:
        return None
    return one.get("value") or ""
