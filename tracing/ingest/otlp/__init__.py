"""OpenTelemetry traces over HTTP, protobuf and JSON: the check at the door, and decoding into records."""

from tracing.ingest.otlp.door import check
from tracing.ingest.otlp.records import decode, singles

__all__ = ["check", "decode", "singles"]
