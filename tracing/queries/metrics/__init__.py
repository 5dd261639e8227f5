"""Metrics: one value object in, rows out. A dimension, measure or aggregation is one entry of a registry."""

from __future__ import annotations

from tracing.queries.metrics.aggregations import AGGREGATIONS as AGGREGATIONS
from tracing.queries.metrics.buckets import FINE_BUCKETS as FINE_BUCKETS
from tracing.queries.metrics.buckets import auto_unit as auto_unit
from tracing.queries.metrics.buckets import bucket_start as bucket_start
from tracing.queries.metrics.buckets import fine_unit as fine_unit
from tracing.queries.metrics.buckets import next_bucket as next_bucket
from tracing.queries.metrics.buckets import units_from as units_from
from tracing.queries.metrics.build import MOST_ROWS as MOST_ROWS
from tracing.queries.metrics.build import read as read
from tracing.queries.metrics.build import run as run
from tracing.queries.metrics.check import check as check
from tracing.queries.metrics.check import check_filter_column as check_filter_column
from tracing.queries.metrics.model import DEFAULT_BINS as DEFAULT_BINS
from tracing.queries.metrics.model import METADATA as METADATA
from tracing.queries.metrics.model import TIME as TIME
from tracing.queries.metrics.model import UNITS as UNITS
from tracing.queries.metrics.model import Metric as Metric
from tracing.queries.metrics.model import MetricsQuery as MetricsQuery
from tracing.queries.metrics.model import View as View
from tracing.queries.metrics.observations import OBSERVATIONS_V1, OBSERVATIONS_V2
from tracing.queries.metrics.scores import SCORES_V1, SCORES_V2
from tracing.queries.metrics.traces import TRACES

VIEWS_V1: dict[str, View] = {"traces": TRACES, "observations": OBSERVATIONS_V1, **SCORES_V1}
VIEWS_V2: dict[str, View] = {"observations": OBSERVATIONS_V2, **SCORES_V2}
