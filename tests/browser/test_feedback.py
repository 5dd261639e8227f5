"""A page of somebody else's, on an origin of its own, whose readers say what they think of an answer."""

from __future__ import annotations

import re
import threading
import time
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from tests.clients import environments
from tracing.views.snippets import feedback

IMPORTS = """<script type="importmap">{"imports": {
  "langfuse": "/node_modules/langfuse/lib/index.mjs",
  "langfuse-core": "/node_modules/langfuse-core/lib/index.mjs",
  "mustache": "/node_modules/mustache/mustache.mjs"}}</script>"""
_ARRIVES_SECONDS = 30


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def shop(tmp_path):
    """A folder that is served on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tmp_path.joinpath("favicon.ico").touch()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def open_page(page, shop, body):
    folder, address = shop
    folder.joinpath("shop.html").write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
    page.goto(f"{address}/shop.html")


def thumbs_of(server, trace_id):
    with server.client() as api:
        found = api.get("/api/public/v3/scores", params={"traceId": trace_id, "fields": "core,subject"}).json()["data"]
    return [(score["name"], score["value"]) for score in found if score["name"] == "thumbs"]


def wait_for(server, trace_id, value):
    until = time.monotonic() + _ARRIVES_SECONDS
    while (found := thumbs_of(server, trace_id)) != [("thumbs", value)]:
        assert time.monotonic() < until, found
        time.sleep(0.1)


def test_thumbs_in_any_page(visitor, page, server, demo, shop, project_url):
    # The snippet is taken from where people copy it.
    page.goto(f"{project_url}/start/#feedback")
    shown = page.locator("#feedback-code").inner_text()
    assert server.public_key in shown
    code = re.sub(r'https?://[^"/]+(?=/api/public)', server.url, shown).replace("TRACE_ID", demo.agent)
    open_page(visitor, shop, code)
    with visitor.expect_response("**/api/public/scores") as sent:
        visitor.get_by_role("button", name="Yes").click()
    assert sent.value.status == 200
    wait_for(server, demo.agent, True)
    with visitor.expect_response("**/api/public/scores"):
        visitor.get_by_role("button", name="No").click()
    wait_for(server, demo.agent, False)
    page.goto(f"{project_url}/traces/{demo.agent}/")
    expect(page.locator("main")).to_contain_text(re.compile("thumbs.*False", re.DOTALL))


def test_thumbs_by_the_sdk(visitor, server, demo, shop):
    try:
        installed = environments.ready("langfuse-js-3")
    except environments.CannotInstall as problem:
        pytest.skip(str(problem))
    folder, _ = shop
    folder.joinpath("node_modules").symlink_to(installed / "node_modules")
    code = feedback(server.url, server.public_key)[1].code
    folder.joinpath("thumbs.mjs").write_text(code, encoding="utf-8")
    button = f"""<button data-trace="{escape(demo.failed)}">Good</button><output></output>
    <script type="module">
      import {{ thumbs }} from "./thumbs.mjs";
      const button = document.querySelector("button");
      button.onclick = async () => {{
        await thumbs(button.dataset.trace, 1);
        document.querySelector("output").textContent = "sent";
      }};
    </script>"""
    open_page(visitor, shop, IMPORTS + button)
    visitor.get_by_role("button", name="Good").click()
    expect(visitor.locator("output")).to_have_text("sent")
    wait_for(server, demo.failed, True)
