"""What real data has too: a trace of 5,000 spans, a span whose parent never came, names longer than any column."""

from __future__ import annotations

from datetime import datetime

from tracing.demo import words
from tracing.demo.draft import JSON, PROTOBUF, Draft

BIG_TRACE_STEPS = 5_000
_ROUND = 50


def long_run(seed: str, index: int, start: datetime) -> Draft:
    """One agent that repriced the whole catalogue overnight."""
    draft = Draft(seed, index, start, "reprice-catalogue", wire=PROTOBUF)
    draft.user, draft.tags, draft.release = "pricing-bot", ["batch", "agent"], words.RELEASES[-1]
    draft.metadata = {"articles": BIG_TRACE_STEPS // 2, "dry_run": False}
    root = draft.step(None, "agent", "reprice-catalogue", input={"goal": "Reprice every article below its floor."})
    parent = root
    while len(draft.steps) < BIG_TRACE_STEPS:
        number = len(draft.steps)
        product, sku, price = draft.random.choice(words.PRODUCTS)
        if number % _ROUND == 1:
            parent = draft.step(root, "chain", f"batch-{number // _ROUND + 1}", takes_ms=1, input={"size": _ROUND})
        elif number % 3:
            tool = draft.step(parent, "tool", "get_competitor_price", takes_ms=draft.around(35), input={"sku": sku})
            tool.output = {"sku": sku, "lowest": round(price * draft.random.uniform(0.85, 1.2), 2), "shops": 4}
            if draft.chance(0.02):
                draft.fail(tool, str(words.CONNECTION))
        else:
            call = draft.step(
                parent,
                "generation",
                "decide-price",
                takes_ms=draft.around(240),
                input=f"{product} ({sku}) costs €{price}. New price?",
            )
            call.model, call.output = (
                "gpt-4.1-nano",
                f"Keep €{price}" if draft.chance(0.7) else f"Lower to €{price * 0.95:.2f}",
            )
            call.usage = {"input": 46, "output": 9}
    root.output = {"changed": 412, "kept": 1254}
    draft.judge("margin-kept", 0.97, "NUMERIC")
    return draft.finish()


def orphan(seed: str, index: int, start: datetime) -> Draft:
    """The root was lost with its process; what it had called is still there."""
    draft = Draft(seed, index, start, "support-chat", wire=JSON)
    draft.user, draft.tags = "jonas.weber", ["support"]
    lost = draft.step(None, "chain", "answer-customer")
    found = draft.step(lost, "retriever", "search-knowledge-base", takes_ms=41, input="Where is my parcel?", output=[])
    draft.step(found, "span", "vector-search", takes_ms=20, input={"top_k": 4})
    draft.finish().steps.remove(lost)
    return draft


def long_names(seed: str, index: int, start: datetime) -> Draft:
    name = "nightly-export::customers::" + "::".join(f"segment-{number:02d}-überprüft-已核对" for number in range(9))
    draft = Draft(seed, index, start, name)
    draft.user, draft.session = f"svc-{'export-' * 12}eu-central", f"run/{'2026/' * 8}final?attempt=1&force=true"
    draft.tags = ["batch", "a-tag-that-somebody-generated-from-a-branch-name/feature/NIM-4411-export-segments"]
    root = draft.step(None, "span", name, input={"<script>alert(1)</script>": "hostile text is shown as text"})
    draft.step(root, "span", "write " + "x" * 300, takes_ms=900, output="✓ 12 files")
    return draft.finish()
