"""The support chatbot: retrieval, an answer, sometimes a photo; several turns make a session."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tracing.demo import words
from tracing.demo.draft import PROTOBUF, Draft, Step
from tracing.demo.pictures import VARIANTS, parcel_photo

#: model, cost class; the share of traffic moves from the first to the second over the fortnight, as in a migration
OLD_MODEL, NEW_MODEL = "gpt-4o-mini", "gpt-4.1-mini"
_TURN_GAP = timedelta(seconds=95)


def conversation(seed: str, index: int, start: datetime, progress: float) -> list[Draft]:
    """One to four turns of one customer. `progress` is how far into the fortnight it happens, 0 to 1."""
    opening = Draft(seed, index, start, "support-chat")
    facts = _facts(opening)
    turns = opening.random.choices((1, 2, 3, 4), (50, 28, 15, 7))[0]
    customer = opening.random.choice(words.CUSTOMERS)
    history: list[dict[str, Any]] = []
    drafts = []
    for turn in range(turns):
        draft = opening if turn == 0 else Draft(f"{seed}:{index}", turn, start + turn * _TURN_GAP, "support-chat")
        draft.wire = PROTOBUF
        draft.user, draft.session = customer, f"chat-{opening.id[:10]}"
        draft.release = words.RELEASES[min(int(progress * len(words.RELEASES)), len(words.RELEASES) - 1)]
        draft.tags = ["support", "web" if opening.chance(0.6) else "mobile"]
        draft.metadata = {"channel": "chat", "locale": facts["locale"], "ab_test": {"variant": facts["variant"]}}
        draft.is_public = draft.chance(0.02)
        _turn(draft, facts, history, progress, is_first=turn == 0)
        drafts.append(draft.finish())
    return drafts


def _facts(draft: Draft) -> dict[str, Any]:
    pick = draft.random.choice
    product, topic = pick(words.PRODUCTS), pick(words.TOPICS)
    facts = {
        "product": product.name,
        "sku": product.sku,
        "price": product.price,
        "order": f"NR-{draft.random.randrange(400_000, 499_999)}",
        "city": pick(words.CITIES),
        "carrier": pick(words.CARRIERS),
        "topic": topic.name,
        "locale": "zh-CN" if topic.name in ("退货", "物流") else "en-GB",
        "variant": pick("AB"),
    }
    return facts | {
        "question": pick(topic.questions).format(**facts),
        "passage": topic.passage,
        "answer": topic.answer.format(**facts),
    }


def _turn(
    draft: Draft, facts: dict[str, Any], history: list[dict[str, Any]], progress: float, *, is_first: bool
) -> None:
    question = facts["question"] if is_first else draft.random.choice(words.FOLLOW_UPS)
    root = draft.step(None, "chain", "answer-customer", input=question)
    root.metadata = {"order": facts["order"], "topic": facts["topic"]}
    passages = _retrieve(draft, root, question, facts)
    if draft.chance(0.12):
        check = draft.step(root, "guardrail", "moderation", takes_ms=draft.around(40), input=question)
        check.output = {"flagged": False, "scores": {"harassment": 0.002, "self_harm": 0.0001}}
    answer = _answer(draft, root, question, passages, facts, history, progress)
    root.output = answer or None
    if answer and draft.chance(0.25):
        checked = draft.step(root, "evaluator", "groundedness", takes_ms=draft.around(25), input=answer)
        checked.output = {"grounded": True, "unsupported_sentences": 0}
    _opinions(draft, root, answer)
    history += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _retrieve(draft: Draft, root: Step, question: str, facts: dict[str, Any]) -> list[dict[str, Any]]:
    retriever = draft.step(root, "retriever", "search-knowledge-base", takes_ms=4, input=question)
    embedding = draft.step(retriever, "embedding", "embed-query", takes_ms=draft.around(60), input=question)
    embedding.model, embedding.usage = "text-embedding-3-small", {"input": max(3, len(question) // 4)}
    embedding.output = "[1536 floats]"
    draft.step(retriever, "span", "vector-search", takes_ms=draft.around(18), input={"top_k": 4, "index": "kb-2026-11"})
    others = draft.random.sample(words.TOPICS, 2)
    passages = [{"id": f"kb/{facts['topic']}", "score": 0.91, "text": facts["passage"]}]
    passages += [
        {"id": f"kb/{topic.name}", "score": round(draft.random.uniform(0.4, 0.8), 3), "text": topic.passage}
        for topic in others
    ]
    retriever.output = passages
    if draft.chance(0.04):
        draft.fail(retriever, "The index was rebuilt during the search; results may be incomplete.", "WARNING")
    return passages


def _answer(
    draft: Draft,
    root: Step,
    question: str,
    passages: list[dict[str, Any]],
    facts: dict[str, Any],
    history: list[dict[str, Any]],
    progress: float,
) -> str:
    content: Any = question
    if facts["topic"] in ("warranty", "returns") and draft.chance(0.3):
        photo = parcel_photo(draft.random.randrange(VARIANTS))
        content = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": photo}}]
    context = "\n\n".join(passage["text"] for passage in passages)
    messages = [{"role": "system", "content": f"{words.SYSTEM_PROMPT}\n\nPassages:\n{context}"}, *history]
    messages.append({"role": "user", "content": content})
    call = draft.step(root, "generation", "generate-answer", takes_ms=draft.around(1400), input=messages)
    call.model = NEW_MODEL if draft.chance(progress) else OLD_MODEL
    call.parameters = {"temperature": 0.2, "max_tokens": 400}
    call.prompt = ("support-answer", 3 if progress > 0.5 else 2)
    call.first_token = call.start + int((call.end - call.start) * draft.random.uniform(0.15, 0.4))
    if draft.chance(0.03):
        failure = str(draft.random.choice((words.RATE_LIMIT, words.TIMEOUT)))
        draft.fail(call, failure)
        draft.fail(root, failure)
        return ""
    answer: str = facts["answer"] if not history else _short_answer(facts)
    call.output = {"role": "assistant", "content": answer}
    prompt_tokens = (
        sum(len(str(message["content"])) for message in messages if isinstance(message["content"], str)) // 4
    )
    cached = prompt_tokens // 2 if history or draft.chance(0.3) else 0
    call.usage = {"input": prompt_tokens - cached, "input_cached_tokens": cached, "output": len(answer) // 4 + 8}
    if not cached:
        del call.usage["input_cached_tokens"]
    return answer


def _short_answer(facts: dict[str, Any]) -> str:
    if facts["locale"] == "zh-CN":
        return f"好的，{facts['order']} 的发票已发送到您的邮箱。还有什么可以帮您？"
    return f"Of course. I have noted that on order **{facts['order']}** and sent you a confirmation by e-mail."


def _opinions(draft: Draft, root: Step, answer: str) -> None:
    if not answer:
        return
    if draft.chance(0.3):
        is_good = draft.chance(0.8)
        comment = "" if draft.chance(0.7) else ("Quick and clear 👍" if is_good else "没有回答我的问题")
        draft.judge("user-feedback", 1 if is_good else 0, "BOOLEAN", comment)
    if draft.chance(0.5):
        draft.judge("relevance", round(min(1.0, draft.random.betavariate(8, 2)), 2), "NUMERIC", step=root)
    if draft.chance(0.2):
        draft.judge("tone", draft.random.choice(("friendly", "friendly", "neutral", "curt")), "CATEGORICAL")
