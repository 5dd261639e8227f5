"""The support chatbot: retrieval, an answer, sometimes a photo; several turns make a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tracing.demo import words
from tracing.demo.draft import PROTOBUF, Draft, Step
from tracing.demo.pictures import VARIANTS, parcel_photo

#: the share of traffic moves from the first to the second over the fortnight, as in a migration
OLD_MODEL, NEW_MODEL = "gpt-4o-mini", "gpt-4.1-mini"
_TURN_GAP = timedelta(seconds=95)


@dataclass(slots=True)
class _Chat:
    """What one customer and the assistant talk about."""

    topic: words.Topic
    locale: str
    order: str
    dialogue: list[words.Exchange]
    progress: float
    history: list[dict[str, Any]] = field(default_factory=list)


def conversation(seed: str, index: int, start: datetime, progress: float) -> list[Draft]:
    """One to four turns of one customer. `progress` is how far into the fortnight it happens, 0 to 1."""
    opening = Draft(seed, index, start, "support-chat")
    chat = _chat(opening, progress)
    customer, variant = opening.random.choice(words.CUSTOMERS), opening.random.choice("AB")
    channel = "web" if opening.chance(0.6) else "mobile"
    drafts = []
    for turn, exchange in enumerate(chat.dialogue):
        draft = opening if turn == 0 else Draft(f"{seed}:{index}", turn, start + turn * _TURN_GAP, "support-chat")
        draft.wire = PROTOBUF
        draft.user, draft.session = customer, f"chat-{opening.id[:10]}"
        draft.release = words.RELEASES[min(int(progress * len(words.RELEASES)), len(words.RELEASES) - 1)]
        draft.tags = ["support", channel]
        draft.metadata = {"channel": "chat", "locale": chat.locale, "ab_test": {"variant": variant}}
        draft.is_public = draft.chance(0.02)
        _turn(draft, chat, exchange)
        drafts.append(draft.finish())
    return drafts


def _chat(draft: Draft, progress: float) -> _Chat:
    pick = draft.random.choice
    topic = pick(words.TOPICS)
    product = pick(topic.products)
    locale = "zh-CN" if topic.name in ("退货", "物流") else "en-GB"
    facts = {
        "product": product.name,
        "sku": product.sku,
        "price": product.price,
        "discount": product.price * 0.15,
        "points": int(product.price),
        "order": f"NR-{draft.random.randrange(400_000, 499_999)}",
        "city": pick(words.CITIES),
        "carrier": pick(words.CARRIERS),
    }
    turns = draft.random.choices((1, 2, 3, 4), (50, 28, 15, 7))[0]
    exchanges = [pick(topic.exchanges), *draft.random.sample(words.FOLLOW_UPS[locale], turns - 1)]
    dialogue = [words.Exchange(*(part.format(**facts) for part in exchange)) for exchange in exchanges]
    return _Chat(topic, locale, str(facts["order"]), dialogue, progress)


def _turn(draft: Draft, chat: _Chat, exchange: words.Exchange) -> None:
    root = draft.step(None, "chain", "answer-customer", input=exchange.question)
    root.metadata = {"order": chat.order, "topic": chat.topic.name}
    passages = _retrieve(draft, root, exchange.question, chat.topic)
    if draft.chance(0.12):
        check = draft.step(root, "guardrail", "moderation", takes_ms=draft.around(40), input=exchange.question)
        check.output = {"flagged": False, "scores": {"harassment": 0.002, "self_harm": 0.0001}}
    if not _answer(draft, root, chat, exchange, passages):
        return
    root.output = exchange.answer
    if draft.chance(0.25):
        checked = draft.step(root, "evaluator", "groundedness", takes_ms=draft.around(25), input=exchange.answer)
        checked.output = {"grounded": True, "unsupported_sentences": 0}
    _opinions(draft, root)
    chat.history.append({"role": "user", "content": exchange.question})
    chat.history.append({"role": "assistant", "content": exchange.answer})


def _retrieve(draft: Draft, root: Step, question: str, topic: words.Topic) -> list[dict[str, Any]]:
    retriever = draft.step(root, "retriever", "search-knowledge-base", takes_ms=4, input=question)
    embedding = draft.step(retriever, "embedding", "embed-query", takes_ms=draft.around(60), input=question)
    embedding.model, embedding.usage = "text-embedding-3-small", {"input": max(3, len(question) // 4)}
    embedding.output = "[1536 floats]"
    draft.step(retriever, "span", "vector-search", takes_ms=draft.around(18), input={"top_k": 4, "index": "kb-2026-11"})
    others = draft.random.sample([other for other in words.TOPICS if other != topic], 2)
    passages = [{"id": f"kb/{topic.name}", "score": 0.91, "text": topic.passage}]
    passages += [
        {"id": f"kb/{other.name}", "score": round(draft.random.uniform(0.4, 0.8), 3), "text": other.passage}
        for other in others
    ]
    retriever.output = passages
    if draft.chance(0.04):
        draft.fail(retriever, "The index was rebuilt during the search; results may be incomplete.", "WARNING")
    return passages


def _answer(draft: Draft, root: Step, chat: _Chat, exchange: words.Exchange, passages: list[dict[str, Any]]) -> bool:
    """The model call. False when it failed."""
    messages = _messages(draft, chat, exchange.question, passages)
    call = draft.step(root, "generation", "generate-answer", takes_ms=draft.around(1400), input=messages)
    call.model = NEW_MODEL if draft.chance(chat.progress) else OLD_MODEL
    call.parameters = {"temperature": 0.2, "max_tokens": 400}
    call.prompt = ("support-answer", 3 if chat.progress > 0.5 else 2)
    call.first_token = call.start + int((call.end - call.start) * draft.random.uniform(0.15, 0.4))
    if draft.chance(0.03):
        failure = str(draft.random.choice((words.RATE_LIMIT, words.TIMEOUT)))
        draft.fail(call, failure)
        draft.fail(root, failure)
        return False
    call.output = {"role": "assistant", "content": exchange.answer}
    prompt = sum(len(message["content"]) for message in messages if isinstance(message["content"], str)) // 4
    cached = prompt // 2 if chat.history or draft.chance(0.3) else 0
    call.usage = {"input": prompt - cached, "output": len(exchange.answer) // 4 + 8}
    if cached:
        call.usage["input_cached_tokens"] = cached
    return True


def _messages(draft: Draft, chat: _Chat, question: str, passages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    content: Any = question
    if chat.topic.name in ("warranty", "returns") and not chat.history and draft.chance(0.4):
        photo = parcel_photo(draft.random.randrange(VARIANTS))
        content = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": photo}}]
    context = "\n\n".join(passage["text"] for passage in passages)
    system = {"role": "system", "content": f"{words.SYSTEM_PROMPT}\n\nPassages:\n{context}"}
    return [system, *chat.history, {"role": "user", "content": content}]


def _opinions(draft: Draft, root: Step) -> None:
    if draft.chance(0.3):
        is_good = draft.chance(0.8)
        comment = "" if draft.chance(0.7) else ("Quick and clear 👍" if is_good else "没有回答我的问题")
        draft.judge("user-feedback", 1 if is_good else 0, "BOOLEAN", comment)
    if draft.chance(0.5):
        draft.judge("relevance", round(min(1.0, draft.random.betavariate(8, 2)), 2), "NUMERIC", step=root)
    if draft.chance(0.2):
        draft.judge("tone", draft.random.choice(("friendly", "friendly", "neutral", "curt")), "CATEGORICAL")
