"""Chromium as it is on this machine, driven by Playwright; its own download is never used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response, sync_playwright

from tests.instance import Instance

#: htmx calls a request that leaving the page cut short an error; it is not one
_EXPECTED = ("htmx:sendAbort", "htmx:afterRequest")
PHONE: dict[str, object] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class NoChromium(Exception):
    """There is no browser here."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Raises NoChromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise NoChromium("no chromium on this machine; on Debian: apt install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        # Without a sandbox: test machines are often containers, where Chromium cannot make one.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Watch:
    """Collects what a page complains about: console errors, CSP refusals, exceptions, answers of 400 and above."""

    problems: list[str] = field(default_factory=list)

    def overlook(self, *words: str) -> None:
        """What the page was made to complain about."""
        self.problems[:] = [problem for problem in self.problems if not any(word in problem for word in words)]

    def page(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"exception on {page.url}: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        is_refusal = "Content Security Policy" in message.text
        if (message.type in ("error", "warning") or is_refusal) and not message.text.startswith(_EXPECTED):
            self.problems.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} for {response.url}")


def sign_in(page: Page, instance: Instance) -> None:
    page.goto(f"{instance.url}/accounts/login/")
    fill_in_and_sign_in(page, instance)


def fill_in_and_sign_in(page: Page, instance: Instance) -> None:
    page.get_by_label("Email", exact=False).fill(instance.email)
    page.get_by_label("Password", exact=False).first.fill(instance.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/accounts/login" not in url)


def signed_in_state(browser: Browser, instance: Instance) -> dict[str, object]:
    """Cookies of a signed-in person, for any number of contexts."""
    context = browser.new_context()
    sign_in(context.new_page(), instance)
    state: dict[str, object] = dict(context.storage_state())
    context.close()
    return state


def new_context(browser: Browser, state: object = None, **options: object) -> BrowserContext:
    defaults: dict[str, object] = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"}
    context = browser.new_context(storage_state=state, **{**defaults, **options})  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    return context


def hurry(page: Page) -> None:
    """On pages that it opens from now on timers end eight times as early: what they ask again and again comes soon."""
    page.add_init_script(
        """for (const name of ["setTimeout", "setInterval"]) {
          const real = window[name];
          window[name] = (work, milliseconds, ...given) => real(work, milliseconds / 8, ...given);
        }"""
    )


def back_to_another_filter(page: Page, steps: int = 1) -> None:
    """A list is read again on the way: `page.go_back()` returns before that, and takes it for another way."""
    with page.expect_event("load"):
        page.evaluate(f"history.go({-steps})")


def rows(page: Page) -> Locator:
    """Those of the trace list."""
    return page.locator("#rows tr[data-id]")
