"""The event batches of older SDKs: `POST /api/public/ingestion`."""

from tracing.ingest.legacy.decode import decode, decode_body
from tracing.ingest.legacy.receive import LegacyReceipt, receive

__all__ = ["LegacyReceipt", "decode", "decode_body", "receive"]
