"""How many rows the analytics store read to answer: cost that can be asserted whatever else the machine does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from tracing.analytics import answers, client


class RowsRead:
    """`by_tag` has the rows that each query read, by the tag that it was asked with."""

    def __init__(self) -> None:
        self.by_tag: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self.by_tag.total()


@contextmanager
def rows_read() -> Iterator[RowsRead]:
    """Counts the rows of all queries of this process meanwhile, in whatever thread they are asked. Nothing is answered
    from memory that was asked before."""
    answers.forget()
    read = RowsRead()
    pool = client.call(lambda one: one.http)
    send = pool.request

    def send_and_count(method: str, url: str, **options: Any) -> Any:
        answer = send(method, url, **options)
        comment = parse_qs(urlsplit(url).query).get("log_comment", ["{}"])[0]
        summary = json.loads(answer.headers["X-ClickHouse-Summary"])
        read.by_tag[json.loads(comment).get("tag", "")] += int(summary["read_rows"])
        return answer

    with mock.patch.object(pool, "request", send_and_count):
        yield read
