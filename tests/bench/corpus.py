"""Seeded traces of about ten spans and 2 KB a span, encoded before any clock starts and kept on disk, not in memory."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

SPANS_PER_TRACE = 10
#: one trace in this many holds a rare word
RARE_EVERY = 200
DAYS = 10
_MODELS = (("gpt-4o-mini", 45), ("gpt-4.1", 25), ("claude-sonnet-4-5", 20), ("gemini-2.5-flash", 10))
_STEPS = ("plan", "search", "embed-query", "reason", "get_orders", "reason", "sql_query", "check-policy", "answer")
_KINDS = ("generation", "retriever", "embedding", "generation", "tool", "generation", "tool", "guardrail", "generation")
_MILLISECOND = 1_000_000


@dataclass
class Corpus:
    """Traces 0, 1, 2, …, the newest last, ending at `until_ns`; trace `n` is the same in every run of a seed."""

    folder: Path
    seed: int
    traces: int
    until_ns: int
    spans_per_request: int = 512
    requests: list[tuple[int, int, int]] = field(default_factory=list)  # offset, size, spans

    def __post_init__(self) -> None:
        draw = random.Random(f"{self.seed}:words")
        syllables = [first + second for first in "bcdfghklmnprstvw" for second in "aeiou"]
        self._words = ["".join(draw.choices(syllables, k=draw.choice((1, 2, 2, 3, 3)))) for _ in range(8000)]
        self._weights = list(itertools.accumulate(1 / (rank + 4) for rank in range(len(self._words))))
        self._sentences = [self._sentence(draw, 12) for _ in range(3000)]
        self._write()

    @property
    def spans(self) -> int:
        return self.traces * SPANS_PER_TRACE

    def body(self, number: int) -> bytes:
        offset, size, _ = self.requests[number]
        return os.pread(self._file, size, offset)

    def bytes_per_span(self) -> float:
        return sum(size for _, size, _ in self.requests) / self.spans

    def trace_id(self, number: int, prefix: str = "") -> str:
        return hashlib.blake2b(f"{self.seed}:{prefix}{number}".encode(), digest_size=16).hexdigest()

    def user(self, number: int) -> str:
        draw = random.Random(f"{self.seed}:user:{number}").random()
        return f"user-{int(draw * draw * 500):04d}"

    def rare_word(self, number: int) -> str:
        return f"zqrare{number // RARE_EVERY % 20:02d}" if number % RARE_EVERY == 7 else ""

    def trace(self, number: int, start_ns: int | None = None, prefix: str = "") -> list[Span]:
        """One trace in the order of its spans' ends: the root last, as exporters send it."""
        draw = random.Random(f"{self.seed}:{prefix}{number}")
        trace_id = bytes.fromhex(self.trace_id(number, prefix))
        start = start_ns if start_ns is not None else self._start(number)
        context = {
            "user.id": self.user(number),
            "session.id": f"session-{number // 5}",
            "langfuse.environment": prefix or "production",
        }
        question = self._text(draw, 180)
        root_id, clock, spans = draw.randbytes(8), start, []
        for name, kind in zip(_STEPS, _KINDS, strict=True):
            ends = clock + int(draw.lognormvariate(4.6, 0.8) * _MILLISECOND)
            attributes = {**context, "langfuse.observation.type": kind} | self._content(draw, kind, question)
            if name == "answer" and not prefix and (word := self.rare_word(number)):
                attributes["langfuse.observation.output"] += f" {word}"
            spans.append(_span(trace_id, draw.randbytes(8), root_id, name, clock, ends, attributes))
            clock = ends
        attributes = {**context, "langfuse.observation.type": "agent", "langfuse.trace.name": "support-agent"}
        attributes |= {"langfuse.observation.input": question, "langfuse.observation.output": self._text(draw, 500)}
        return [*spans, _span(trace_id, root_id, b"", "support-agent", start, clock, attributes)]

    def big_trace(self, spans: int) -> tuple[str, list[bytes]]:
        """A trace of that many spans, as requests."""
        draw = random.Random(f"{self.seed}:big:{spans}")
        trace_id, root_id = draw.randbytes(16), draw.randbytes(8)
        start = self.until_ns - 3_600 * 10**9
        made = [
            _span(
                trace_id,
                root_id,
                b"",
                "long-run",
                start,
                start + spans * _MILLISECOND,
                {"langfuse.observation.type": "agent"},
            )
        ]
        for number in range(1, spans):
            kind = draw.choice(("generation", "tool", "tool"))
            begin = start + number * _MILLISECOND
            attributes = {"langfuse.observation.type": kind, **self._content(draw, kind, "step", size=250)}
            made.append(
                _span(trace_id, draw.randbytes(8), root_id, f"{kind}-{number % 7}", begin, begin + 900_000, attributes)
            )
        size = self.spans_per_request
        return trace_id.hex(), [encode(made[at : at + size]) for at in range(0, spans, size)]

    def _content(self, draw: random.Random, kind: str, question: str, size: int = 0) -> dict[str, object]:
        if kind != "generation":
            answer = self._text(draw, size or draw.randrange(200, 1100))
            return {
                "langfuse.observation.input": question,
                "langfuse.observation.output": orjson.dumps({"result": answer}).decode(),
            }
        history = [{"role": "system", "content": self._sentences[draw.randrange(8)] * 6}]
        history += [
            {"role": role, "content": self._text(draw, size or draw.randrange(80, 600))}
            for role in ("user", "assistant")
        ]
        messages = orjson.dumps([*history, {"role": "user", "content": question}]).decode()
        answer = self._text(draw, size or draw.randrange(300, 1400))
        usage = {"input": len(messages) // 4, "output": len(answer) // 4}
        return {
            "langfuse.observation.input": messages,
            "langfuse.observation.output": answer,
            "langfuse.observation.model.name": draw.choices(
                [name for name, _ in _MODELS], [share for _, share in _MODELS]
            )[0],
            "langfuse.observation.model.parameters": '{"temperature":0.7}',
            "langfuse.observation.usage_details": orjson.dumps(usage).decode(),
        }

    def _text(self, draw: random.Random, size: int) -> str:
        parts = []
        length = 0
        while length < size:
            # fresh words between stock sentences: compresses about as real answers do
            parts.append(draw.choice(self._sentences) if draw.random() < 0.4 else self._sentence(draw, 9))
            length += len(parts[-1]) + 1
        return " ".join(parts)[:size]

    def _sentence(self, draw: random.Random, words: int) -> str:
        return " ".join(draw.choices(self._words, cum_weights=self._weights, k=words)).capitalize() + "."

    def _start(self, number: int) -> int:
        return self.until_ns - int((1 - number / max(1, self.traces)) * DAYS * 86_400 * 10**9) - 120 * 10**9

    def _write(self) -> None:
        path = self.folder / "requests.bin"
        with path.open("wb") as file:
            pending: list[Span] = []
            for number in range(self.traces):
                pending += self.trace(number)
                while len(pending) >= self.spans_per_request or (pending and number == self.traces - 1):
                    part, pending = pending[: self.spans_per_request], pending[self.spans_per_request :]
                    body = encode(part)
                    self.requests.append((file.tell(), len(body), len(part)))
                    file.write(body)
        self._file = os.open(path, os.O_RDONLY)


def encode(spans: list[Span]) -> bytes:
    scope = ScopeSpans(spans=spans)
    scope.scope.name = "bench"
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])]).SerializeToString()


def _span(
    trace_id: bytes, span_id: bytes, parent: bytes, name: str, start: int, end: int, attributes: dict[str, object]
) -> Span:
    pairs = [KeyValue(key=key, value=AnyValue(string_value=str(value))) for key, value in attributes.items()]
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        attributes=pairs,
    )
