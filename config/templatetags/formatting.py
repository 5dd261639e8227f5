"""How figures, times and kinds are written everywhere: with their unit, at a fixed precision, exact on hover."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

register = template.Library()

NONE = "—"

LEVELS = {
    "ERROR": gettext_lazy("Error"),
    "WARNING": gettext_lazy("Warning"),
    "DEBUG": gettext_lazy("Debug"),
    "DEFAULT": gettext_lazy("Default"),
}


@register.filter
def duration(microseconds: int | float | timedelta | None) -> str:
    """41 ms, 1.92 s, 5.0 min, 2.1 h; a dash when unknown."""
    if microseconds is None:
        return NONE
    if isinstance(microseconds, timedelta):
        microseconds = microseconds / timedelta(microseconds=1)
    seconds = max(0.0, microseconds / 1_000_000)
    if seconds < 0.0995:
        ms = seconds * 1000
        return f"{ms:.0f} ms" if ms >= 1 or ms == 0 else f"{ms:.1f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return NONE


@register.filter
def tokens(count: int | None) -> str:
    """4,913; 1.2 M from a million on."""
    return _big(count)


@register.filter
def count(number: int | None) -> str:
    return _big(number)


def _big(number: int | None) -> str:
    if number is None:
        return NONE
    if abs(number) < 1_000_000:
        return f"{number:,}"
    for unit, size in (("G", 1_000_000_000), ("M", 1_000_000)):
        if abs(number) >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)


@register.filter
def figure(number: float | str | None) -> str:
    """A number as a query writes it: at most four digits behind the point, none in front of thousands."""
    return "" if number is None or isinstance(number, str) else f"{number:.4f}".rstrip("0").rstrip(".")


@register.filter
def money(amount: Decimal | float | None) -> str:
    """$0.0214, $12.40, $1,284.10; small amounts keep two digits that say something."""
    if amount is None:
        return NONE
    amount = Decimal(amount)
    if amount == 0:
        return "$0"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    if abs(amount) >= Decimal("0.0001"):
        return f"${amount:.4f}"
    digits = min(12, 1 - amount.adjusted())
    return f"${amount:.{digits}f}"


@register.filter
def short_money(amount: Decimal | float | None) -> str:
    """The same for a column of a list, where eight characters must do."""
    return "<$0.0001" if amount and 0 < Decimal(amount) < Decimal("0.0001") else money(amount)


@register.filter
def exact_money(amount: Decimal | None) -> str:
    return NONE if amount is None else f"${Decimal(amount).normalize():f}"


@register.filter
def score(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"


@register.filter
def exact_time(at: datetime | None) -> str:
    """2026-11-21 14:52:49.318 UTC+1, in the reader's zone."""
    if at is None:
        return NONE
    local = timezone.localtime(at)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local.tzname() or ''}".rstrip()


@register.filter
def clock(at: datetime) -> SafeString:
    """The time of day today; day and time before; the exact time on hover."""
    local, now = timezone.localtime(at), timezone.localtime()
    if local.date() == now.date():
        shown = f"{local:%H:%M:%S}"
    elif local.year == now.year:
        shown = date_format(local, "j M H:i")
    else:
        shown = date_format(local, "j M Y")
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(at), exact_time(at), shown)


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """How long ago, kept true by the browser; the exact time on hover."""
    if at is None:
        return NONE
    return format_html(
        '<time datetime="{}" title="{}" data-relative data-now="{}">{}</time>',
        _iso(at), exact_time(at), _("just now"), _relative(timezone.now() - at),
    )  # fmt: skip


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _relative(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        minutes = seconds // 60
        return ngettext("%(n)d min ago", "%(n)d min ago", minutes) % {"n": minutes}
    if seconds < 86_400:
        hours = seconds // 3600
        return ngettext("%(n)d hr ago", "%(n)d hr ago", hours) % {"n": hours}
    days = seconds // 86_400
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


@register.filter
def kind(type_name: str) -> str:
    """The CSS class of an observation type; unknown ones are spans."""
    name = type_name.lower()
    known = {"generation", "agent", "tool", "chain", "retriever", "embedding", "evaluator", "guardrail", "event"}
    return name if name in known else "span"


@register.filter
def kind_name(type_name: str) -> str:
    return type_name.capitalize() if type_name else _("Span")


@register.filter
def level_name(level: str) -> Any:
    return LEVELS.get(level, level)


@register.filter
def level_tag(level: str) -> SafeString | str:
    """A coloured word for what needs attention; nothing for what is as usual."""
    if level not in ("ERROR", "WARNING", "DEBUG"):
        return ""
    css = {"ERROR": "", "WARNING": " warning", "DEBUG": " debug"}[level]
    return format_html('<span class="tag level{}">{}</span>', css, LEVELS[level])


@register.filter
def short_id(text: str) -> str:
    return text if len(text) <= 14 else f"{text[:4]}…{text[-4:]}"


@register.filter
def axis_time(microseconds: int) -> str:
    """Round times below the axis: 0, 250 ms, 2 s, 5 min."""
    if microseconds == 0:
        return "0"
    seconds = microseconds / 1_000_000
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


@register.filter
def steps(depth: int) -> range:
    """One indent for each level; deeper ones stand at the last."""
    return range(min(depth, DEEPEST_INDENT))


DEEPEST_INDENT = 24


@register.simple_tag
def bar(row: Any, total_us: int) -> dict[str, str]:
    """Place of a row's bar in percent of the axis; never thinner than what can be seen."""
    total = total_us or 1
    x = row.start_us / total * 100
    # A span that still runs reaches to the end of what is known.
    length = row.duration_us if row.duration_us is not None else max(0, total_us - row.start_us)
    width = max(0.5, length / total * 100)
    first = row.start_us + row.time_to_first_token_us if row.time_to_first_token_us else None
    place = {"x": f"{min(x, 99.5):.3f}", "width": f"{width:.3f}", "end": f"{min(x, 99.5) + width:.3f}", "first": ""}
    if first is not None and first <= total_us:
        place["first"] = f"{first / total * 100:.3f}"
    return place
