"""The playground by mouse and by keyboard, on a phone and without a script, against a provider on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import serious
from tests.browser.chromium import Watch
from tests.browser.demo_data import DemoData
from tests.instance import Instance
from tests.prompts.provider_stub import ERROR, HELLO, KEY, REFUSAL, ProviderStub
from tests.server_fixture import OPEN_HOST

ADAPTERS = {"openai": ("openai", "/v1"), "anthropic": ("anthropic", ""), "gemini": ("google-ai-studio", "")}
#: the worker may have others to work for
ANSWER_MS = 30_000
MODELS = ["hello", "flow", "echo"]


@pytest.fixture(scope="module")
def stub(server: Instance) -> Iterator[ProviderStub]:
    """Speaks as three providers, each a connection of the project."""
    with ProviderStub(OPEN_HOST) as found, server.client() as api:
        for name, (adapter, path) in ADAPTERS.items():
            body = {
                "provider": f"stub-{name}",
                "adapter": adapter,
                "secretKey": KEY,
                "baseURL": found.url + path,
                "customModels": MODELS,
                "withDefaultModels": False,
            }
            assert api.put("/api/public/llm-connections", json=body).status_code in (200, 201)
        yield found


@pytest.fixture
def address(project_url: str, stub: ProviderStub) -> str:
    return f"{project_url}/playground/"


def window(window_id: str, model: str = "hello", *texts: Any, provider: str = "openai", **given: Any) -> dict[str, Any]:
    """`texts` are words of the user, or whole messages."""
    said = [one if isinstance(one, dict) else {"role": "user", "content": one} for one in texts or ("Hi",)]
    messages = [{"id": f"m{place}", **one} for place, one in enumerate(said)]
    return {
        "id": window_id, "title": "", "connection": f"stub-{provider}", "model": model, "parameters": {}, "options": "",
        "messages": messages, "tools": [], "tool_choice": "", "output_schema": None, "stream": True, "prompt": None,
        "source": None, **given,
    }  # fmt: skip


def begun(page: Page, address: str, *windows: dict[str, Any], **shared: Any) -> str:
    """The address of a new playground that has these windows, which the page shows."""
    page.goto(address)
    page.locator("form[action$='/playground/new/'] button").first.click()
    expect(page.locator("[data-playground]")).to_be_visible()
    state = {"windows": list(windows), "variables": {}, "placeholders": {}, **shared}
    put_state(page, 1, state)
    page.reload()
    return page.url


def put_state(page: Page, revision: int, state: dict[str, Any]) -> None:
    token = page.locator("[data-playground] > input[name=csrfmiddlewaretoken]").get_attribute("value") or ""
    headers = {"X-CSRFToken": token, "Referer": page.url}
    url = page.locator("[data-playground]").get_attribute("data-state-url") or ""
    answer = page.request.put(url_of(page, url), data={"revision": revision, "state": state}, headers=headers)
    assert answer.ok, answer.text()


def url_of(page: Page, path: str) -> str:
    return re.sub(r"(https?://[^/]+)/.*", r"\1", page.url) + path


def windows(page: Page) -> Locator:
    return page.locator("[data-windows] > [data-window]")


def nth(page: Page, place: int) -> Locator:
    return windows(page).nth(place)


def messages(win: Locator) -> Locator:
    return win.locator("[data-messages] > [data-message]")


def words(message: Locator) -> Locator:
    return message.get_by_label("What the message says")


def output(win: Locator) -> Locator:
    return win.locator("[data-output]")


def saved(page: Page) -> None:
    expect(page.locator("[data-saved]")).to_have_attribute("data-state", "saved", timeout=ANSWER_MS)


def choose(win: Locator, model: str, provider: str = "openai") -> None:
    win.locator("[data-setting=model]").click()
    win.get_by_label("Find or type a model").fill(model)
    section = win.locator(f"[data-connection=stub-{provider}]")
    section.locator(f'[data-model="{model}"]:visible').first.click()


def has_answered(win: Locator, status: str = "done") -> None:
    expect(output(win).locator(f".pg-run.{status}")).to_be_visible(timeout=ANSWER_MS)


def more(win: Locator, name: str) -> None:
    win.get_by_label("More for this window").click()
    win.get_by_role("button", name=name).click()


# --- One window ------------------------------------------------------------------------------------------
def test_from_nothing_to_an_answer_that_is_seen_coming(page: Page, address: str, stub: ProviderStub) -> None:
    name = f"Tour {uuid4().hex[:6]}"
    page.goto(address)
    page.keyboard.press("n")
    expect(page.locator("[data-playground]")).to_be_visible()
    win = nth(page, 0)
    editor, answer = win.locator("[data-editor]").bounding_box(), output(win).bounding_box()
    assert editor is not None
    assert answer is not None
    assert editor["x"] + editor["width"] <= answer["x"]  # one window has both beside each other, as one reads
    words(messages(win).nth(0)).fill("You are {{persona}}.")
    words(messages(win).nth(1)).fill("Count to three, 数到三.\nSlowly.")
    # What is missing is said before it is run, and marked in the words.
    expect(page.locator("[data-missing]")).to_have_text("1 empty")
    expect(win.locator("mark.missing")).to_have_text("{{persona}}")
    page.get_by_role("textbox", name="persona").fill("a clock")
    expect(page.locator("[data-missing]")).to_be_hidden()
    expect(win.locator("mark.missing")).to_have_count(0)
    # The model, by keyboard alone: typed, found, taken.
    win.locator("[data-setting=model]").press("Enter")
    expect(win.get_by_label("Find or type a model")).to_be_focused()
    page.keyboard.type("flo")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(win.locator("[data-said=model]")).to_contain_text("flow")
    expect(win.locator("[data-setting=model]")).to_be_focused()
    win.locator("[data-setting=parameters]").click()
    win.get_by_label("temperature").fill("0.3")
    page.keyboard.press("Escape")
    expect(win.locator("[data-said=parameters]")).to_have_text("temperature 0.3")
    words(messages(win).nth(1)).focus()
    page.keyboard.press("Control+Enter")
    # It is seen growing: each piece is there before the provider says the next one.
    so_far = output(win).locator(".live [data-into=text]")
    for text in ("1 2 3", "1 2 3 4 5 6", "1 2 3 4 5 6 7 8 9"):
        expect(so_far).to_have_text(text, timeout=ANSWER_MS)
        stub.let.release()
    stub.let.release(5)  # what ends it
    has_answered(win)
    expect(output(win)).to_contain_text("1 2 3 4 5 6 7 8 9")
    facts = output(win).locator(".pg-facts")
    for fact in ("11 → 7 tokens", "first", "stop", "flow"):
        expect(facts).to_contain_text(fact)
    asked = str(stub.last.body)
    assert "You are a clock." in asked
    assert "'temperature': 0.3" in asked
    # All of it is there again, and its address is enough.
    saved(page)
    page.reload()
    expect(words(messages(win).nth(1))).to_have_value("Count to three, 数到三.\nSlowly.")
    expect(page.get_by_role("textbox", name="persona")).to_have_value("a clock")
    expect(output(win)).to_contain_text("1 2 3 4 5 6 7 8 9")
    # Named, found in the list, copied, deleted.
    page.get_by_label("More", exact=True).click()
    page.get_by_label("Name", exact=True).fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.goto(f"{address}?q={name}")
    row = page.get_by_role("row", name=re.compile(name))
    expect(row).to_contain_text("flow")
    row.get_by_label(f"Actions on {name}").click()
    row.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Copy of {name}")
    expect(words(messages(win).nth(0))).to_have_value("You are {{persona}}.")
    page.get_by_label("More", exact=True).click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text(f"“Copy of {name}” is deleted.")).to_be_visible()


def test_a_tool_is_called_answered_and_the_talk_goes_on(page: Page, address: str, stub: ProviderStub) -> None:
    begun(page, address, window("a", "tools", "How is the weather?"))
    win = nth(page, 0)
    win.locator("[data-setting=tools]").click()
    win.get_by_role("button", name="Tool", exact=True).click()
    page.keyboard.type("weather")
    schema = win.get_by_label("Parameters of the tool, a JSON schema")
    schema.fill('{"type": "object", "prop')
    expect(win.get_by_text("No valid JSON yet")).to_be_visible()
    page.keyboard.press("Escape")
    saved(page)
    page.reload()
    # Half-written it was kept; it is told at its field when it is run.
    win.get_by_role("button", name="Run").click()
    issue = output(win).get_by_role("button", name=re.compile("Parameters of the tool"))
    issue.click()
    expect(schema).to_be_focused()
    expect(schema).to_have_value('{"type": "object", "prop')
    expect(schema).to_have_attribute("aria-invalid", "true")
    assert serious(page) == []
    schema.fill('{"type": "object", "properties": {"city": {"type": "string"}}}')
    expect(win.get_by_text("Valid JSON", exact=True)).to_be_visible()
    win.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("weather is in the library.")).to_be_visible()
    page.keyboard.press("Escape")
    win.get_by_role("button", name="Run").click()
    has_answered(win)
    expect(output(win).locator(".call")).to_contain_text("Zürich")
    output(win).get_by_title("Add the answer to the messages").click()
    expect(messages(win)).to_have_count(3)
    result = messages(win).nth(2)
    expect(words(result)).to_be_focused()
    page.keyboard.type("Sunny, 21 °C")
    choose(win, "echo")
    page.keyboard.press("Control+Enter")
    expect(output(win).locator(".pg-run.done")).to_contain_text("Sunny, 21 °C", timeout=ANSWER_MS)
    _user, call, answer = stub.last.body["messages"]
    assert answer == {"role": "tool", "content": "Sunny, 21 °C", "tool_call_id": call["tool_calls"][0]["id"]}
    assert stub.last.body["tools"][0]["function"]["name"] == "weather"
    # The library serves other windows and other playgrounds.
    begun(page, address, window("a"))
    win.locator("[data-setting=tools]").click()
    win.locator(".pg-library").get_by_role("button", name="weather", exact=True).click()
    expect(win.get_by_label("Name of the tool")).to_have_value("weather")
    win.get_by_label("Remove it from the library").click()
    expect(win.get_by_text("Nothing is kept there yet.")).to_be_visible()


def test_what_goes_wrong_is_said_as_the_provider_said_it(page: Page, address: str, stub: ProviderStub) -> None:
    models = ["401", "500", "cut", "short", "thinker", "refuses"]
    begun(page, address, *(window(f"w{place}", model) for place, model in enumerate(models)))
    page.get_by_role("button", name="Run all").click()
    for place, (status, said) in enumerate(
        [
            ("failed", "The key was refused"),
            ("failed", "The provider has a problem"),
            ("failed", HELLO),
            ("done", "Once upon"),
            ("done", "42"),
            ("done", REFUSAL),
        ]
    ):
        has_answered(nth(page, place), status)
        expect(output(nth(page, place))).to_contain_text(said)
    for fact in ("401", ERROR, "req_stub", "Enter a key"):
        expect(output(nth(page, 0))).to_contain_text(fact)
    expect(output(nth(page, 3)).locator(".pg-facts")).to_contain_text("length")
    expect(output(nth(page, 5)).get_by_text("Refusal")).to_be_visible()
    thinking = output(nth(page, 4)).locator("details.thinking")
    expect(thinking).not_to_have_attribute("open", "")
    thinking.locator("summary").click()
    expect(thinking).to_contain_text("Let me think.")
    assert KEY not in page.content()


def test_a_run_goes_on_over_a_reload_and_is_stopped(page: Page, address: str, stub: ProviderStub) -> None:
    begun(page, address, window("a", "hangs"), window("b", "silent", provider="anthropic"))
    page.get_by_role("button", name="Run all").click()
    first, second = nth(page, 0), nth(page, 1)
    expect(output(first).locator(".live [data-into=text]")).to_have_text(HELLO, timeout=ANSWER_MS)
    expect(page.get_by_text("2 of 2 are running")).to_be_visible()
    page.reload()
    expect(output(first).locator(".live [data-into=text]")).to_have_text(HELLO, timeout=ANSWER_MS)
    expect(first.get_by_role("button", name="Run")).to_be_hidden()
    stub.was_left.clear()
    first.get_by_role("button", name="Stop").click()
    has_answered(first, "stopped")
    expect(output(first)).to_contain_text(HELLO)
    assert stub.was_left.wait(15)
    second.get_by_role("button", name="Stop").click()
    has_answered(second, "stopped")
    expect(page.locator("[data-do=stop-all]")).to_be_hidden()
    expect(first.get_by_role("button", name="Run")).to_be_visible()


# --- Windows beside each other ---------------------------------------------------------------------------
def test_three_providers_beside_each_other_are_compared(page: Page, address: str, stub: ProviderStub) -> None:
    begun(
        page,
        address,
        window("a", "hello", "Say {{what}}", title="Ours"),
        window("b", "echo", "Say {{what}}", provider="anthropic"),
        window("c", "hello", "Say hello", provider="gemini"),
        window("d", "", "Say nothing"),
        variables={"what": "hello"},
    )
    assert page.locator("[data-value=what] [data-users]").inner_text() == "A B"
    page.keyboard.press("Control+Shift+Enter")
    for place in (0, 2):
        has_answered(nth(page, place))
        expect(output(nth(page, place))).to_contain_text(HELLO)
    has_answered(nth(page, 1))
    # One that cannot run says why, and does not keep the others.
    issue = output(nth(page, 3)).locator(".pg-issues button")
    expect(issue).to_have_count(1)
    issue.click()
    expect(nth(page, 3).get_by_label("Find or type a model")).to_be_focused()
    page.keyboard.press("Escape")
    # Runs of a window and its data are part of the address.
    nth(page, 0).get_by_role("button", name="Run").click()
    expect(output(nth(page, 0))).to_contain_text("2/2", timeout=ANSWER_MS)
    output(nth(page, 0)).get_by_label("The run before").click()
    expect(output(nth(page, 0))).to_contain_text("1/2")
    expect(page).to_have_url(re.compile(r"[?&]run=a\."))
    output(nth(page, 0)).get_by_role("link", name="JSON").click()
    expect(output(nth(page, 0)).locator(".json")).to_contain_text("assistant")
    page.reload()
    expect(output(nth(page, 0))).to_contain_text("1/2")
    expect(output(nth(page, 0)).locator(".json")).to_contain_text("assistant")
    page.go_back()
    page.go_back()
    expect(output(nth(page, 0))).to_contain_text("2/2")
    expect(page).not_to_have_url(re.compile("run=|json="))
    page.get_by_title("Compare two outputs").click()
    page.get_by_role("button", name="Compare outputs").click()
    compared = page.locator("#comparison")
    expect(compared.locator(".removed").first).to_contain_text(HELLO[:5])
    assert serious(page) == []
    choose(nth(page, 1), "hello", "anthropic")
    nth(page, 1).get_by_role("button", name="Run").click()
    expect(compared).to_contain_text("unchanged", timeout=ANSWER_MS)
    compared.get_by_role("link", name="End comparing").click()
    expect(compared).to_be_hidden()
    # Messages and outputs share the height as somebody likes, in all windows and on the next page.
    before = output(nth(page, 1)).bounding_box()
    page.locator("[data-split]").first.press("ArrowUp")
    page.reload()
    after = output(nth(page, 1)).bounding_box()
    assert before
    assert after
    assert after["height"] > before["height"] + 10
    page.locator("[data-split]").first.dblclick()
    expect(page.locator("[data-split]").nth(1)).to_have_attribute("aria-valuenow", "42")


def test_windows_come_go_move_and_give(page: Page, address: str, stub: ProviderStub) -> None:
    begun(page, address, window("a", "hello", "One {{x}}", title="First"), variables={"x": "1"})
    page.get_by_role("button", name="Window", exact=True).click()
    expect(windows(page)).to_have_count(2)
    second = nth(page, 1)
    expect(second.get_by_label("Name of the window")).to_have_value("First (copy)")
    second.get_by_label("Name of the window").fill("Second")
    words(messages(second).nth(0)).fill("Two {{y}}")
    choose(second, "echo", "gemini")
    # Close, and think better of it.
    more(second, "Close the window")
    expect(windows(page)).to_have_count(1)
    expect(page.locator("[data-value=y]")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(windows(page)).to_have_count(2)
    expect(words(messages(second).nth(0))).to_have_value("Two {{y}}")
    more(second, "Move left")
    expect(nth(page, 0).get_by_label("Name of the window")).to_have_value("Second")
    expect(nth(page, 0).locator("[data-letter]")).to_have_text("A")
    more(nth(page, 0), "Its messages into all windows")
    expect(words(messages(nth(page, 1)).nth(0))).to_have_value("Two {{y}}")
    # A value that no window uses is kept until it is forgotten.
    unused = page.locator("[data-value=x]")
    expect(unused).to_contain_text("not used")
    page.get_by_role("button", name="Undo").click()
    expect(unused.locator("[data-users]")).to_have_text("B")
    more(nth(page, 0), "Its model and parameters into all")
    expect(nth(page, 1).locator("[data-said=model]")).to_have_text("stub-gemini echo")
    saved(page)
    page.reload()
    expect(nth(page, 1).locator("[data-said=model]")).to_have_text("stub-gemini echo")
    expect(nth(page, 0).get_by_label("Name of the window")).to_have_value("Second")
    for _ in range(8):
        page.get_by_role("button", name="Window", exact=True).click()
    expect(windows(page)).to_have_count(10)
    page.get_by_role("button", name="Window", exact=True).click()
    expect(page.get_by_text("A playground has 10 windows at most.")).to_be_visible()
    expect(windows(page)).to_have_count(10)
    saved(page)
    # Nothing is hidden from the browser's own search, and the switch leads to what is out of sight.
    page.locator("[data-switch]").get_by_role("link", name="J").click()
    expect(nth(page, 9)).to_be_in_viewport()
    expect(page).to_have_url(re.compile(r"\?window="))
    page.reload()
    expect(nth(page, 9)).to_be_in_viewport()
    assert page.locator("textarea", has_text="").count() > 10


# --- Messages --------------------------------------------------------------------------------------------
def test_messages_by_mouse_and_keyboard(page: Page, address: str, stub: ProviderStub) -> None:
    kept = {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "Yes"},
        {"type": "odd", "value": [1]},
    ], "name": "bot"}  # fmt: skip
    begun(page, address, window("a", "echo", "First", "Second", kept))
    win = nth(page, 0)
    words(messages(win).nth(0)).focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(words(messages(win).nth(1))).to_have_value("First")
    expect(words(messages(win).nth(1))).to_be_focused()
    messages(win).nth(1).hover()
    messages(win).nth(1).locator("[data-grip]").drag_to(messages(win).nth(0), target_position={"x": 60, "y": 4})
    expect(words(messages(win).nth(0))).to_have_value("First")
    messages(win).nth(1).get_by_label("Remove the message").click()
    expect(messages(win)).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(words(messages(win).nth(1))).to_have_value("Second")
    messages(win).nth(1).get_by_label("Role").select_option("developer")
    win.get_by_role("button", name="Placeholder").click()
    page.keyboard.type("history")
    placeholder = page.locator("[data-value=history] textarea")
    placeholder.fill('[{"role": "user", "content": "earlier')
    expect(placeholder).to_have_attribute("aria-invalid", "true")
    placeholder.fill('[{"role": "user", "content": "earlier"}]')
    expect(placeholder).not_to_have_attribute("aria-invalid", "true")
    # A picture by its address is a link, one of this computer is shown.
    win.get_by_role("button", name="Message", exact=True).click()
    page.keyboard.type("Look:")
    last = messages(win).nth(4)
    last.get_by_label("More for this message").click()
    last.get_by_role("button", name="Add an image").click()
    page.keyboard.type("https://example.com/cat.png")
    expect(last.get_by_role("link", name="Open the image")).to_have_attribute("href", "https://example.com/cat.png")
    expect(last.locator("img")).to_have_count(0)
    pixel = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360f8ff1f0003030200ffe1e6c10000000049454e44ae426082"
    )
    last.locator("[data-image-file]").set_input_files({"name": "p.png", "mimeType": "image/png", "buffer": pixel})
    expect(last.locator("img")).to_be_visible()
    assert serious(page) == []
    saved(page)
    page.reload()
    expect(messages(win)).to_have_count(5)
    expect(messages(win).nth(1).get_by_label("Role")).to_have_value("developer")
    win.get_by_role("button", name="Run").click()
    has_answered(win)
    sent = stub.last.body["messages"]
    # Servers that speak as OpenAI does know no developer.
    assert [one["role"] for one in sent] == ["user", "system", "assistant", "user", "user"]
    assert sent[3]["content"] == "earlier"
    assert sent[4]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    # What no field shows is sent and kept as it came.
    state = page.evaluate("import('/static/js/playground-state.js').then((module) => module.readState())")
    assert state["windows"][0]["messages"][2]["content"] == kept["content"]
    assert state["windows"][0]["messages"][2]["name"] == "bot"


# --- Saving ----------------------------------------------------------------------------------------------
def test_two_tabs_and_a_time_without_a_connection(page: Page, watch: Watch, address: str, stub: ProviderStub) -> None:
    url = begun(page, address, window("a", "hello", "Mine"))
    other = page.context.new_page()
    other.goto(url)
    words(messages(nth(other, 0)).nth(0)).fill("Theirs")
    saved(other)
    expect(other.locator("[data-saved]")).to_contain_text("Saved")
    text = words(messages(nth(page, 0)).nth(0))
    text.fill("Mine, too")
    conflict = page.locator(".pg-conflict")
    expect(conflict).to_contain_text("changed")
    expect(page.locator("[data-saved]")).to_have_attribute("data-state", "failed")
    watch.overlook("409")
    page.get_by_role("button", name="Keep mine").click()
    saved(page)
    expect(conflict).to_have_count(0)
    other.reload()
    expect(words(messages(nth(other, 0)).nth(0))).to_have_value("Mine, too")
    text.fill("Mine again")
    saved(page)
    words(messages(nth(other, 0)).nth(0)).fill("Theirs again")
    other.get_by_role("button", name="Show theirs").click()
    expect(words(messages(nth(other, 0)).nth(0))).to_have_value("Mine again")
    watch.overlook("409")
    # Offline nothing is lost, and it goes on by itself.
    page.context.set_offline(True)
    text.fill("Written on the train")
    expect(page.locator("[data-saved]")).to_contain_text("retrying")
    page.context.set_offline(False)
    saved(page)
    watch.overlook("ERR_INTERNET_DISCONNECTED")
    # Nor while one is signed out.
    cookies = page.context.cookies()
    page.context.clear_cookies()
    text.fill("Written as a stranger")
    expect(page.locator("[data-saved]")).to_contain_text("you are signed out")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    saved(page)
    watch.overlook("403")
    other.reload()
    expect(words(messages(nth(other, 0)).nth(0))).to_have_value("Written as a stranger")
    # Left within the half second.
    text.fill("Last words")
    page.goto(address)
    page.go_back()
    expect(words(messages(nth(page, 0)).nth(0))).to_have_value("Last words")
    text.fill("Very last words")
    page.reload()
    expect(text).to_have_value("Very last words")
    # Nor where what was sent on leaving never came through.
    page.route("**/state/", lambda route: route.abort())
    text.fill("Lost on the way")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    page.unroute("**/state/")
    page.goto(url)
    expect(text).to_have_value("Lost on the way")
    watch.overlook("ERR_FAILED", "409")


# --- Other readers ---------------------------------------------------------------------------------------
def test_on_a_phone_one_window_at_a_time(phone: Page, address: str, stub: ProviderStub) -> None:
    begun(phone, address, window("a", "hello", "One {{x}}"), window("b", "hello", "Two", title="Zweites 窗口"))
    expect(nth(phone, 0)).to_be_in_viewport()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    switch = phone.locator("[data-switch]")
    switch.get_by_role("link", name="B").tap()
    expect(nth(phone, 1).get_by_label("Name of the window")).to_be_in_viewport()
    expect(nth(phone, 0).get_by_label("Name of the window")).not_to_be_in_viewport()
    expect(switch.get_by_role("link", name="B")).to_have_attribute("aria-current", "true")
    nth(phone, 1).get_by_role("button", name="Run").tap()
    has_answered(nth(phone, 1))
    expect(output(nth(phone, 1)).get_by_text(HELLO)).to_be_in_viewport()
    phone.reload()
    expect(nth(phone, 1).get_by_label("Name of the window")).to_be_in_viewport()
    nth(phone, 1).locator("[data-setting=parameters]").tap()
    expect(nth(phone, 1).get_by_label("temperature")).to_be_in_viewport()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(phone) == []


def test_without_a_script_all_is_read(page: Page, scriptless: Page, address: str, stub: ProviderStub) -> None:
    tool = {"name": "weather", "description": "Tells it", "parameters": "{}"}
    url = begun(page, address, window("a", "hello", "Dear {{x}}", tools=[tool]), variables={"x": "reader"})
    nth(page, 0).get_by_role("button", name="Run").click()
    has_answered(nth(page, 0))
    scriptless.goto(url)
    win = nth(scriptless, 0)
    expect(words(messages(win).nth(0))).to_have_value("Dear {{x}}")
    expect(scriptless.get_by_role("textbox", name="x", exact=True)).to_have_value("reader")
    expect(output(win)).to_contain_text(HELLO)
    expect(scriptless.get_by_text("turn JavaScript on")).to_be_visible()
    expect(scriptless.get_by_role("button", name="Run all")).to_be_hidden()
    win.locator("[data-setting=tools]").click()
    expect(win.get_by_label("Name of the tool")).to_have_value("weather")
    output(win).get_by_role("link", name="JSON").click()
    expect(output(win).locator(".json")).to_contain_text("assistant")


def test_from_a_prompt_and_back_as_its_next_version(page: Page, address: str, server: Instance) -> None:
    name = f"played/{uuid4().hex[:8]}"
    body = {
        "name": name, "type": "chat", "labels": ["production"], "config": {"model": "hello", "temperature": 0.5},
        "prompt": [{"role": "system", "content": "Be {{tone}}."}, {"type": "placeholder", "name": "history"}],
    }  # fmt: skip
    with server.client() as api:
        assert api.post("/api/public/v2/prompts", json=body).status_code == 201
    page.goto(address.replace("/playground/", f"/prompts/{name}/"))
    page.get_by_role("button", name="Playground").click()
    win = nth(page, 0)
    expect(win.locator(".pg-from")).to_contain_text(f"{name} v1")
    expect(win.locator("[data-said=parameters]")).to_contain_text("temperature 0.5")
    expect(page.locator("[data-value=history]")).to_be_visible()
    # What was typed a moment ago comes along.
    words(messages(win).nth(0)).fill("Be very {{tone}}.")
    win.get_by_label("More for this window").click()
    win.get_by_role("link", name="Save as a prompt version").click()
    expect(page.get_by_label("What the message says").first).to_have_value("Be very {{tone}}.")
    page.get_by_role("button", name="Review changes").click()
    expect(page.locator("#content-diff mark")).to_have_text(["very "])
    expect(page.locator("#config-diff")).to_contain_text("unchanged")
    page.get_by_role("button", name=re.compile("Save")).click()
    expect(page.get_by_text("Version 2 is saved.")).to_be_visible()


def test_from_a_generation(page: Page, project_url: str, demo: DemoData, stub: ProviderStub) -> None:
    page.goto(f"{project_url}/traces/{demo.chat}/?observation={demo.answer}")
    page.get_by_role("button", name="Playground").click()
    win = nth(page, 0)
    source = win.get_by_title("From this generation")
    assert messages(win).count() > 1
    expect(messages(win).nth(0).get_by_label("Role")).to_have_value("system")
    source.click()
    expect(page).to_have_url(f"{project_url}/traces/{demo.chat}/?observation={demo.answer}")
