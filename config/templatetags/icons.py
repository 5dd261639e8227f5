"""`{% icon "name" %}`: our own 16-pixel stroke icons, drawn inline so that they follow the text's colour."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

ICONS = {
    "logo": "M2.5 11.5c3 0 3-7 5.5-7s2.5 7 5.5 7",
    "home": "M2.5 7.5 8 3l5.5 4.5V13h-4V9.5h-3V13h-4z",
    "trace": "M3 4h7M5.5 8H13M4 12h5",
    "chat": "M3 3.5h10v7H7L4 13v-2.5H3z",
    "user": "M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zm-4.5 5c.5-2.500 2.300-3.500 4.500-3.500s4 1 4.500 3.500",
    "gear": "M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8 2.500V4M8 12v1.500M2.500 8H4M12 8h1.500M4.100 4.100l1 1"
    "M10.900 10.900l1 1M4.100 11.900l1-1M10.900 5.100l1-1",
    "key": "M6 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM8.500 8H14M11.500 8v2.500M13.500 8v1.500",
    "inbox": "M2.500 9 4.500 3.500h7l2 5.500v3.500h-11zM2.500 9H6l1 1.500h2L10 9h3.500",
    "start": "M3.500 13V3M3.500 3.500h8l-1.500 2.500 1.500 2.500h-8",
    "search": "M7 11.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9zM10.500 10.500l3 3",
    "clock": "M8 13.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11zM8 5v3l2 1.500",
    "more": "M4 8h.01M8 8h.01M12 8h.01",
    "down": "m4.500 6.500 3.500 3.500 3.500-3.500",
    "right": "m6.500 4.500 3.500 3.500-3.500 3.500",
    "left": "M9.500 4.500 6 8l3.500 3.500",
    "filter": "M2.500 4h11M4.500 8h7M6.500 12h3",
    "close": "m4.500 4.500 7 7M11.500 4.500l-7 7",
    "check": "m3.500 8.500 3 3 6-7",
    "plus": "M8 3.500v9M3.500 8h9",
    "copy": "M5.500 5.500v-3h8v8h-3M2.500 5.500h8v8h-8z",
    "share": "M8 9.500V3M5.500 5 8 2.500 10.500 5M4 8v5h8V8",
    "link": "M6.500 9.500l3-3M7 5l1.500-1.500a2.500 2.500 0 0 1 4 4L11 9M9 11l-1.500 1.500a2.500 2.500 0 0 1-4-4L5 7",
    "alert": "M8 3 2.500 12.500h11zM8 6.500v3M8 11.200v.01",
    "star": "m8 3 1.500 3.200 3.500.4-2.600 2.400.7 3.500L8 10.800 4.900 12.500l.7-3.500L3 6.600l3.500-.4z",
    "sun": "M8 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM8 2v1M8 13v1M2 8h1M13 8h1M3.800 3.800l.7.7"
    "M11.500 11.500l.7.7M3.800 12.200l.7-.7M11.500 4.500l.7-.7",
    "moon": "M13 9.500A5.500 5.500 0 0 1 6.500 3a5.500 5.500 0 1 0 6.500 6.500z",
    "screen": "M2.500 3.500h11v7h-11zM6 13h4M8 10.500V13",
    "keyboard": "M2 4.500h12v7H2zM4.500 7h.01M7 7h.01M9.500 7h.01M12 7h.01M5 9.500h6",
    "in": "M9.500 3H13v10H9.500M2.500 8H9M6.500 5.500 9 8l-2.500 2.500",
    "out": "M6.500 3H3v10h3.500M7 8h6.500M11 5.500 13.500 8 11 10.500",
    "trash": "M3 4.500h10M6 4.500V3h4v1.500M4.500 4.500l.5 8.500h6l.5-8.500",
    "refresh": "M13 8a5 5 0 1 1-1.500-3.500L13 6M13 3v3h-3",
    "people": "M6 8a2.200 2.200 0 1 0 0-4.400A2.200 2.200 0 0 0 6 8zM2 13c.4-2.300 2-3.200 4-3.200s3.600.9 4 3.200"
    "M10.500 3.800a2.200 2.200 0 0 1 0 4M12 9.900c1.200.4 1.800 1.500 2 3.100",
    "building": "M3.500 13.500v-11h6v11M9.500 6h3v7.500M2 13.500h12M5.500 5h2M5.500 7.500h2M5.500 10h2",
    "expand": "m5 6 3-3 3 3M5 10l3 3 3-3",
    "collapse": "m5 3 3 3 3-3M5 13l3-3 3 3",
    "file": "M4 2.500h5L12 5.500v8H4zM9 2.500v3h3",
    "play": "M5 3.500 12 8l-7 4.500z",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative icon; the button or link around it carries the words."""
    return format_html('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>', ICONS[name])
