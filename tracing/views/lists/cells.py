"""What stands in each cell of the lists, as HTML. Everything traced is escaped."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from config.templatetags import formatting
from config.templatetags.icons import icon
from tracing.queries.explorer.rows import ObservationRow, Row, TraceRow

Html = SafeString | str
#: a row and its address -> what the cell shows
Cell = Callable[[Row, str], Html]

_NOTHING = format_html('<span class="faint">{}</span>', formatting.NONE)


def time(row: Row, url: str) -> Html:
    return formatting.clock(row.timestamp)


def name(row: Row, url: str) -> Html:
    """The link that opens the row; a star for what is bookmarked."""
    is_bookmarked = isinstance(row, TraceRow) and row.is_bookmarked
    star = format_html('<span class="star" role="img" aria-label="{}">{}</span>', _("Bookmarked"), icon("star"))
    return format_html(
        '<span class="type {}" title="{}"><b><a class="row-link" href="{}">{}</a></b>{}</span>',
        formatting.kind(row.type), row.name, url, row.name or row.id, star if is_bookmarked else "",
    )  # fmt: skip


def kind(row: Row, url: str) -> Html:
    return formatting.kind_name(row.type)


def level(row: Row, url: str) -> Html:
    return formatting.level_tag(row.level)


def latency(row: Row, url: str) -> Html:
    return formatting.duration(row.latency_us) if row.latency_us is not None else _NOTHING


def ttft(row: Row, url: str) -> Html:
    return formatting.duration(row.time_to_first_token_us) if row.time_to_first_token_us is not None else _NOTHING


def figure(attribute: str) -> Cell:
    return lambda row, url: formatting.count(value) if (value := getattr(row, attribute)) else _NOTHING


def money(attribute: str) -> Cell:
    def cell(row: Row, url: str) -> Html:
        amount: Decimal = getattr(row, attribute)
        if not amount:
            return _NOTHING
        return format_html('<span title="{}">{}</span>', formatting.exact_money(amount), formatting.short_money(amount))

    return cell


def text(attribute: str) -> Cell:
    return lambda row, url: getattr(row, attribute)


def content(attribute: str) -> Cell:
    """Long text: cut by the height of the row, on whose page it is whole."""
    return lambda row, url: format_html('<span class="words">{}</span>', getattr(row, attribute))


def flag(attribute: str) -> Cell:
    return lambda row, url: icon("check") if getattr(row, attribute) else ""


def tags(row: Row, url: str) -> Html:
    return format_html_join(" ", '<span class="tag">#{}</span>', ((tag,) for tag in row.tags))


def models(row: Row, url: str) -> Html:
    return ", ".join(row.models) if isinstance(row, TraceRow) else row.model


def prompt(row: Row, url: str) -> Html:
    if isinstance(row, TraceRow):
        return ", ".join(row.prompt_names)
    return f"{row.prompt_name} v{row.prompt_version}" if row.prompt_name and row.prompt_version else row.prompt_name


def end(row: Row, url: str) -> Html:
    ended = row.end_time if isinstance(row, ObservationRow) else None
    return formatting.clock(ended) if ended else format_html('<span class="faint">{}</span>', _("running"))


def score(name: str) -> Cell:
    def cell(row: Row, url: str) -> Html:
        mean = row.scores.get(name)
        if mean is None:
            return _NOTHING
        shown = formatting.score(mean.value) if mean.value is not None and not mean.text else mean.text
        return format_html('<span title="{}">{}</span>', shown, shown)

    return cell


def metadata(key: str) -> Cell:
    return lambda row, url: row.content.metadata.get(key, "") if row.content else ""
