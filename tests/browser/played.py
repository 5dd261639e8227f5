"""A playground for pictures: one prompt of the demo over three models, run."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.bench.phases import sign_in
from tests.instance import Instance
from tests.prompts import provider_stub
from tests.prompts.provider_stub import ProviderStub, Say
from tracing.demo.prompts import PROMPTS

_PROMPT, _VERSION = "support-answer", 3
#: connection, adapter, where the stub speaks as it does, model, what it says
_MODELS = (
    (
        "OpenAI", "openai", "/v1", "gpt-4.1-mini",
        "很抱歉杯子碎了。破损的商品在送达后 **14 天内**可以退回:请把照片和订单号发给我们,运费由我们承担。",
    ),
    (
        "Anthropic", "anthropic", "", "claude-sonnet-4-5",
        "很遗憾您的杯子碎了。\n\n1. 拍一张照片\n2. 写上订单号\n3. 14 天内寄回\n\n退款会在五个工作日内原路退回。",
    ),
    ("Google", "google-ai-studio", "", "gemini-2.5-flash", "可以。请在送达后 14 天内联系我们,并附上照片。"),
)  # fmt: skip
_VALUES = {
    "shop": "Nimbus Retail",
    "passages": "Damaged goods can be sent back within 14 days of delivery.",
    "question": "我买的杯子碎了,可以退货吗?",
}


def play(instance: Instance) -> str:
    """Its path. The instance has the demo's prompts, and may ask this machine."""
    provider_stub._SAYS.update({model: Say([answer]) for _, _, _, model, answer in _MODELS})
    with ProviderStub() as stub, httpx.Client(base_url=instance.url, follow_redirects=True, timeout=30) as browser:
        _connect(instance, stub)
        sign_in(browser, instance)
        headers = {"X-CSRFToken": browser.cookies["csrftoken"], "Referer": instance.url}
        new = f"/projects/{instance.project_id}/playground/new/"
        opened = browser.post(new, data={"prompt": _PROMPT, "version": _VERSION}, headers=headers)
        address = str(opened.raise_for_status().url)
        windows = [_window(letter, *facts) for letter, facts in zip("abc", _MODELS, strict=True)]
        state = {"windows": windows, "variables": _VALUES, "placeholders": {}}
        wanted = {"revision": 1, "state": state, "windows": [window["id"] for window in windows]}
        started = browser.post(f"{address}runs/", json=wanted, headers=headers).raise_for_status().json()
        after = ",".join(f"{run['id']}:0" for run in started["runs"])
        while not _are_done(browser.get(f"{address}runs/news/", params={"after": after}).json()):
            time.sleep(0.1)
    return address.removeprefix(instance.url)


def _connect(instance: Instance, stub: ProviderStub) -> None:
    with instance.client() as api:
        for provider, adapter, path, model, _ in _MODELS:
            connection = {"provider": provider, "adapter": adapter, "secretKey": provider_stub.KEY}
            connection |= {"baseURL": stub.url + path, "customModels": [model], "withDefaultModels": False}
            api.put("/api/public/llm-connections", json=connection).raise_for_status()


def _window(letter: str, provider: str, _adapter: str, _path: str, model: str, _answer: str) -> dict[str, Any]:
    versions = [prompt for prompt in PROMPTS if prompt["name"] == _PROMPT]
    messages = [{"id": f"m{place}", **said} for place, said in enumerate(versions[_VERSION - 1]["prompt"])]
    return {
        "id": letter,
        "connection": provider,
        "model": model,
        "parameters": {"temperature": "0.2"},
        "messages": messages,
        "prompt": {"name": _PROMPT, "version": _VERSION},
    }


def _are_done(news: dict[str, Any]) -> bool:
    return all(run["status"] not in ("queued", "running") for run in news["runs"])
