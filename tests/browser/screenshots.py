"""`make screenshots`: starts the product, fills it with the demo, takes a picture of each page for `docs/images/`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser

from config.ports import free_port
from tests.browser.chromium import chromium, new_context, signed_in_state
from tests.browser.demo_data import send_demo
from tests.browser.pages import all_pages
from tests.browser.played import play
from tests.clients.conftest import eventually
from tests.instance import ROOT, Instance
from tracing.demo import evaluation
from tracing.demo.prompts import PROMPTS
from tracing.demo.send import Sender

FOLDER = ROOT / "docs" / "images"
_TRACES = 600
_IN_THE_DARK = {"traces", "trace", "playground", "comparison"}
_ON_A_PHONE = {"traces", "trace", "playground", "comparison"}
_PHONE = {"width": 390, "height": 844}


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="spanwise-pictures-"))
    instance = Instance(folder / "product", free_port(), environment={"SPANWISE_OUTGOING_ALLOWED": "127.0.0.1"})
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        instance.start()
        with Sender(instance.url, *instance.auth) as sender:
            sender.write(PROMPTS)
            sender.evaluate(datetime.now(UTC), ())
        pages = all_pages(instance, send_demo(instance, _TRACES))
        pages["prompt"] = f"/projects/{instance.project_id}/prompts/support-answer/?version=3"
        pages["playground"] = play(instance)
        pages["comparison"] = compared(instance)
        with chromium() as browser:
            state = signed_in_state(browser, instance)
            for name, path in pages.items():
                take(browser, state, instance.url + path, FOLDER / f"{name}.png")
                if name in _IN_THE_DARK:
                    take(browser, state, instance.url + path, FOLDER / f"{name}-dark.png", color_scheme="dark")
                if name in _ON_A_PHONE:
                    take(browser, state, instance.url + path, FOLDER / f"{name}-phone.png", viewport=_PHONE)
            take(browser, None, f"{instance.url}/accounts/login/", FOLDER / "sign-in.png")
        sys.stdout.write(f"The pictures are in {FOLDER.relative_to(ROOT)}.\n")
        return 0
    finally:
        instance.stop()
        shutil.rmtree(folder, ignore_errors=True)


def compared(instance: Instance) -> str:
    """The demo's second experiment beside its first one."""

    def ids() -> list[str]:
        asked = {"fromStartTime": "2020-01-01T00:00:00Z", "limit": 10}
        with instance.client() as api:
            listed = api.get("/api/public/experiments", params=asked).json()["data"]
        found = {one["name"]: one["id"] for one in listed if one["itemCount"] >= len(evaluation.items())}
        return [found[trial.name] for trial in evaluation.TRIALS]

    before, after = eventually(ids, 60)
    return f"/projects/{instance.project_id}/experiments/compare/?baseline={before}&with={after}"


def take(browser: Browser, state: object, url: str, path: Path, **options: object) -> None:
    context = new_context(browser, state, **{"color_scheme": "light", **options})
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    page.evaluate("document.fonts.ready.then(() => undefined)")
    page.screenshot(path=path)
    context.close()


if __name__ == "__main__":
    raise SystemExit(main())
