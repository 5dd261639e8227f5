"""The nightly invoice extraction: many small traces without users, sent by an older SDK as events."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tracing.demo import words
from tracing.demo.draft import LEGACY, Draft, Step

_INSTRUCTION = "Extract supplier, invoice number, date, line items and total as JSON. Amounts are numbers with a dot."


def invoice(seed: str, index: int, start: datetime, progress: float) -> list[Draft]:
    draft = Draft(seed, index, start, "extract-invoice", wire=LEGACY)
    draft.tags, draft.version = ["batch", "finance"], "extractor-7" if progress > 0.4 else "extractor-6"
    draft.metadata = {"batch": f"{start:%Y-%m-%d}", "source": "mailbox", "pages": draft.random.randrange(1, 4)}
    expected = _invoice(draft)
    text = _as_text(expected)
    root = draft.step(None, "span", "extract-invoice", takes_ms=1, input={"file": f"{expected['number']}.pdf"})
    ocr = draft.step(
        root, "span", "ocr", takes_ms=draft.around(700), input={"pages": draft.metadata["pages"]}, output=text
    )
    if draft.chance(0.1):
        draft.fail(ocr, "Page 2 is rotated; confidence 0.71.", "WARNING")
    result = _extract(draft, root, text, expected)
    if result is None:
        result = _extract(draft, root, text, expected, is_retry=True)
    validate = draft.step(root, "span", "validate", takes_ms=3, input=result)
    if result is None:
        draft.fail(validate, str(words.VALIDATION))
        draft.fail(root, "Sent to manual review.")
    else:
        validate.output = {"is_valid": True, "difference": 0.0}
        root.output = result
        draft.step(root, "event", "exported", input={"target": "erp", "document": expected["number"]})
    draft.judge("valid-json", 1 if result else 0, "BOOLEAN")
    if result:
        draft.judge("field-accuracy", round(draft.random.uniform(0.86, 1.0), 3), "NUMERIC", step=root)
    return [draft.finish()]


def _invoice(draft: Draft) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for product, sku, price in draft.random.sample(words.PRODUCTS, draft.random.randrange(1, 5)):
        items.append(
            {"sku": sku, "description": product, "quantity": draft.random.randrange(1, 40), "unit_price": price}
        )
    total = round(sum(item["quantity"] * item["unit_price"] for item in items), 2)
    number = f"RE-{draft.random.randrange(10_000, 99_999)}"
    return {
        "supplier": draft.random.choice(words.SUPPLIERS),
        "number": number,
        "items": items,
        "total": total,
        "currency": "EUR",
    }


def _as_text(invoice: dict[str, Any]) -> str:
    lines = [invoice["supplier"], f"Invoice / Rechnung / 发票 No. {invoice['number']}", ""]
    lines += [
        f"{item['quantity']:>3} × {item['description']:<30} {item['unit_price']:>9.2f}" for item in invoice["items"]
    ]
    return "\n".join([*lines, "", f"Total EUR {invoice['total']:,.2f}", "Payable within 30 days without deduction."])


def _extract(
    draft: Draft, root: Step, text: str, expected: dict[str, Any], *, is_retry: bool = False
) -> dict[str, Any] | None:
    messages = [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": text}]
    call = draft.step(root, "generation", "extract-fields", takes_ms=draft.around(1900), input=messages)
    call.model = "gpt-4o" if is_retry else "gemini-2.5-flash"
    call.parameters = {"temperature": 0, "response_format": "json_object"}
    call.prompt = ("invoices/extract-fields", 2 if draft.version == "extractor-7" else 1)
    call.metadata = {"attempt": 2 if is_retry else 1}
    if draft.chance(0.06):
        call.output = {"role": "assistant", "content": '{"supplier": "' + expected["supplier"] + '", "items": ['}
        draft.fail(call, "The answer is not JSON: it ends inside a list.", "WARNING")
        call.usage = {"input": len(text) // 3, "output": 400}
        return None
    call.output = {"role": "assistant", "content": json.dumps(expected, ensure_ascii=False)}
    call.usage = {"input": len(text) // 3 + 40, "output": len(expected["items"]) * 45 + 30}
    return expected
