from __future__ import annotations

import os
import signal

from django.apps import AppConfig


class Deadly(AppConfig):
    name = "tests.clients.deadly"

    def ready(self) -> None:
        from tracing.ingest import drain

        decode = drain.decode

        def decode_or_die(payload):
            if b"deadly" in payload.body:
                os.kill(os.getpid(), signal.SIGKILL)
            return decode(payload)

        drain.decode = decode_or_die
