"""OpenTelemetry traces over HTTP, protobuf and JSON: the check at the door, and decoding into records."""

from tracing.ingest.otlp.records import decode
from tracing.ingest.otlp.door import check

__all__ = ["check", "decode"]
