"""Headers that people add to requests, as rows keep them."""

from __future__ import annotations

import orjson
from django.db import models

from config.sealing import seal, unseal


class SealedHeaders(models.Model):
    #: all headers as one sealed JSON object; empty for none
    sealed_headers = models.TextField(blank=True, default="")
    #: their names, in the order given
    header_names = models.JSONField(default=list, blank=True)

    class Meta:
        abstract = True

    @property
    def headers(self) -> dict[str, str]:
        """Raises `config.sealing.Unreadable`."""
        found: dict[str, str] = orjson.loads(unseal(self.sealed_headers)) if self.sealed_headers else {}
        return found

    def set_headers(self, headers: dict[str, str]) -> None:
        self.header_names = list(headers)
        self.sealed_headers = seal(orjson.dumps(headers).decode()) if headers else ""
