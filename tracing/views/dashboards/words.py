"""Figures as people read them: measures by name, numbers with their unit, changes with their sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from config.templatetags import formatting
from config.templatetags.visible import visible
from tracing.queries.dashboards.definition import Definition
from tracing.queries.dashboards.figure import Figure, Value
from tracing.queries.dashboards.views import Unit, unit_of
from tracing.queries.filters import label_of
from tracing.queries.metrics import METADATA, Metric

NONE = formatting.NONE
AGGREGATIONS: dict[str, Any] = {
    "sum": lazy("Sum"), "avg": lazy("Mean"), "count": lazy("Number"),
    "min": lazy("Least"), "max": lazy("Most"), "p50": "p50", "p75": "p75", "p90": "p90", "p95": "p95",
    "p99": "p99", "histogram": lazy("Spread"), "uniq": lazy("Different"),
}  # fmt: skip
VIEWS: dict[str, Any] = {
    "observations": lazy("Observations"), "traces": lazy("Traces"),
    "scores-numeric": lazy("Scores that are numbers"),
    "scores-boolean": lazy("Scores that are yes or no"),
    "scores-categorical": lazy("Scores that are categories"),
}  # fmt: skip
_MEASURES: dict[str, Any] = {
    "count": lazy("Count"), "latency": lazy("Latency"), "streamingLatency": lazy("Streaming time"),
    "timeToFirstToken": lazy("Time to first token"), "inputTokens": lazy("Input tokens"),
    "outputTokens": lazy("Output tokens"), "totalTokens": lazy("Tokens"),
    "outputTokensPerSecond": lazy("Output tokens per second"), "tokensPerSecond": lazy("Tokens per second"),
    "inputCost": lazy("Input cost"), "outputCost": lazy("Output cost"), "totalCost": lazy("Cost"),
    "costByType": lazy("Cost by kind"), "usageByType": lazy("Tokens by kind"),
    "countScores": lazy("Scores"), "scoresCount": lazy("Scores"),
    "observationsCount": lazy("Observations"), "toolDefinitions": lazy("Tools offered"),
    "toolCalls": lazy("Tool calls"), "errors": lazy("Errors"), "errorRate": lazy("Error rate"),
    "traceId": lazy("Traces"), "uniqueUserIds": lazy("Users"), "uniqueSessionIds": lazy("Sessions"),
    "value": lazy("Value"),
}  # fmt: skip
_DIMENSIONS: dict[str, Any] = {
    "providedModelName": lazy("Model"), "traceName": lazy("Trace name"), "userId": lazy("User"),
    "sessionId": lazy("Session"), "promptName": lazy("Prompt"), "isRootObservation": lazy("Root"),
    "toolNames": lazy("Tool offered"), "calledToolNames": lazy("Tool called"),
    "stringValue": lazy("Category"), "booleanValue": lazy("Yes or no"), "costType": lazy("Kind"),
    "usageType": lazy("Kind"), "name": lazy("Name"), "id": "Id",
}  # fmt: skip
#: How long a step on the axis of time is.
STEPS: dict[str, Any] = {
    "minute": lazy("a minute"), "5 minutes": lazy("5 minutes"), "15 minutes": lazy("15 minutes"),
    "30 minutes": lazy("30 minutes"), "hour": lazy("an hour"), "3 hours": lazy("3 hours"), "6 hours": lazy("6 hours"),
    "12 hours": lazy("12 hours"), "day": lazy("a day"), "week": lazy("a week"), "month": lazy("a month"),
    "quarter": lazy("a quarter"), "year": lazy("a year"),
}  # fmt: skip
#: Aggregations whose name says nothing beside the measure's.
_PLAIN = {"sum", "count", "uniq"}
#: Where more is worse. Of the others more is only more.
_WORSE_UPWARDS = {"errors", "errorRate", "latency", "streamingLatency", "timeToFirstToken"}
_BETTER_UPWARDS = {"outputTokensPerSecond", "tokensPerSecond"}


@dataclass(frozen=True, slots=True)
class Change:
    """Against the period before. `sense` is good, bad, or empty."""

    text: str
    sense: str = ""


def measure_label(measure: str) -> str:
    return str(_MEASURES.get(measure) or label_of(measure))


def metric_label(metric: Metric) -> str:
    label = measure_label(metric.measure)
    if metric.aggregation in _PLAIN or metric.measure == "errorRate":
        return label
    return f"{label} {str(AGGREGATIONS[metric.aggregation]).lower()}"


def dimension_label(name: str) -> str:
    return name.removeprefix(METADATA) if name.startswith(METADATA) else str(_DIMENSIONS.get(name) or label_of(name))


def suggested_name(definition: Definition) -> str:
    """`Cost and tokens per model`."""
    labels = list(dict.fromkeys(metric_label(one) for one in definition.metrics))[:3]
    if [one.measure for one in definition.metrics] == ["count"]:
        labels = [str(VIEWS[definition.view_name])]
    what = _(" and ").join(labels)
    by = _(" and ").join(dimension_label(name).lower() for name in definition.dimensions)
    return _("%(what)s per %(by)s") % {"what": what, "by": by} if by else what


def value_text(value: Value, unit: Unit) -> str:
    if value is None:
        return NONE
    match unit:
        case Unit.DOLLARS:
            return formatting.money(value)
        case Unit.MILLISECONDS:
            return formatting.duration(value * 1000)
        case Unit.SHARE:
            return f"{value * 100:.2f} %"
        case Unit.TOKENS_PER_SECOND:
            return f"{value:,.1f}/s"
        case Unit.NUMBER:
            return formatting.score(value)
    return formatting.count(round(value)) if abs(value) >= 1000 or value == int(value) else f"{value:,.2f}"


def values_text(figure: Figure, values: tuple[Value, ...]) -> list[str]:
    return [
        value_text(value, unit_of(one.measure, one.aggregation))
        for one, value in zip(figure.definition.metrics, values, strict=True)
    ]


def change(metric: Metric, value: Value, before: Value) -> Change | None:
    """None where there is nothing to compare."""
    if value is None or before is None or (not value and not before):
        return None
    unit = unit_of(metric.measure, metric.aggregation)
    if unit is Unit.SHARE:
        text = f"{(value - before) * 100:+.2f} pt"
    elif not before:
        return Change(_("new"), _sense(metric, 1))
    else:
        share = (value - before) / abs(before) * 100
        text = f"{share:+,.0f} %" if abs(share) >= 100 else f"{share:+.1f} %"
    return Change(text.replace("-", "−"), _sense(metric, value - before))


def _sense(metric: Metric, difference: float) -> str:
    if not difference or metric.measure not in _WORSE_UPWARDS | _BETTER_UPWARDS:
        return ""
    return "bad" if (difference > 0) == (metric.measure in _WORSE_UPWARDS) else "good"


def before_label(figure: Figure, range_name: str) -> str:
    """What the change is against."""
    if figure.definition.config.range == "today":
        return _("vs. yesterday until now")
    labels = {"1h": _("vs. previous hour"), "24h": _("vs. previous day"), "7d": _("vs. previous 7 days"),
              "30d": _("vs. previous 30 days"), "90d": _("vs. previous 90 days")}  # fmt: skip
    return labels.get(figure.definition.config.range or range_name, _("vs. the period before"))


def key_text(key: str | None) -> str:
    return _("none") if key is None else visible(key)
