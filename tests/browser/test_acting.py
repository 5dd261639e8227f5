"""Acting on a trace, by mouse and by keyboard: scores, comments, corrections, tags, the star and the public link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Watch, new_context


@pytest.fixture
def trace_url(project_url, demo) -> str:
    """A trace that is shown by its root, which is where people act first."""
    return f"{project_url}/traces/{demo.chat}/"


@pytest.fixture
def traced(page: Page, trace_url: str) -> Page:
    page.goto(trace_url)
    expect(page.get_by_role("tree")).to_be_visible()
    return page


@pytest.fixture
def stranger(browser, watch: Watch) -> Iterator[Page]:
    """Somebody without an account. Being refused is no complaint."""
    context = new_context(browser)
    yield context.new_page()
    context.close()


def test_scores_are_given_by_keyboard(traced, trace_url):
    # Score configs stay, those of other tests, too: these two have names of their own, with none between them.
    first = uuid4().hex[:6]
    quality, grade = f"{first} a quality", f"{first} b grade"
    traced.keyboard.press("a")
    panel = traced.locator("#annotate")
    expect(panel.get_by_text("New score config")).to_be_visible()
    if not panel.locator("details.new-config[open]").count():
        panel.get_by_text("New score config").click()
    panel.get_by_label("Name", exact=True).last.fill(quality)
    panel.get_by_label("Categories, best last").fill("bad, fair, good")
    panel.get_by_label("Categories, best last").press("Enter")
    row = panel.locator("[data-annotate-row]", has_text=quality)
    expect(row).to_be_visible()
    panel.get_by_text("New score config").click()
    panel.get_by_label("Name", exact=True).last.fill(grade)
    panel.get_by_label("Kind").last.select_option("NUMERIC")
    panel.get_by_label("Most").fill("10")
    panel.get_by_role("button", name="Create").click()
    number = panel.get_by_role("spinbutton", name=grade)
    expect(number).to_be_visible()

    # A digit chooses and saves; the list beside it is read again.
    row.get_by_role("radio").first.focus()
    traced.keyboard.press("3")
    scores = traced.locator("#scores")
    expect(scores.locator("tr", has_text=quality)).to_contain_text("good")
    expect(row.get_by_role("button", name=f"Remove your score {quality}")).to_be_visible()
    expect(row.get_by_role("radio", name="good")).to_be_focused()

    # Enter goes on; out of range is said in place and nothing is saved.
    traced.keyboard.press("Enter")
    expect(number).to_be_focused()
    traced.keyboard.type("11")
    traced.keyboard.press("Enter")
    line = panel.locator("[data-annotate-row]", has_text=grade)
    expect(line.get_by_role("alert")).to_have_text("Give at most 10.")
    number.fill("7.5")
    number.press("Tab")
    traced.keyboard.type("close to it")
    traced.keyboard.press("Enter")
    expect(scores.locator("tr", has_text=grade)).to_contain_text("7.5")
    expect(scores).to_contain_text("close to it")

    # A second choice changes the first one; Esc puts the form away.
    row.get_by_role("radio").first.focus()
    traced.keyboard.press("1")
    expect(scores.locator("tr", has_text=quality)).to_contain_text("bad")
    expect(scores.locator("tr", has_text=quality)).to_have_count(1)
    traced.keyboard.press("Escape")
    expect(panel.locator("[data-annotate-row]")).to_have_count(0)
    expect(traced.locator("[data-annotate]")).to_be_focused()

    traced.goto(trace_url)
    expect(scores.locator("tr", has_text=quality)).to_contain_text("bad")
    traced.once("dialog", lambda dialog: dialog.accept())
    scores.get_by_role("button", name=f"Delete the score {grade}").click()
    expect(traced.locator("#messages")).to_contain_text("The score is deleted.")
    expect(scores.locator("tr", has_text=grade)).to_have_count(0)


def test_a_talk_about_a_trace(traced, trace_url, server, scriptless):
    traced.keyboard.press("c")
    field = traced.get_by_label("New comment")
    expect(field).to_be_focused()
    traced.keyboard.type(f"**Look** at this, @{server.email[:3]}")
    expect(traced.locator("#mention-list").get_by_role("option").first).to_contain_text(server.email)
    traced.keyboard.press("Enter")
    expect(field).to_have_value(f"**Look** at this, @{server.email} ")
    traced.keyboard.press("Control+Enter")
    comment = traced.locator(".comment", has_text="at this")
    expect(comment.locator("strong")).to_have_text("Look")
    expect(comment.locator(".mention")).to_be_visible()
    expect(field).to_have_value("")

    comment.get_by_label("React").click()
    comment.get_by_role("button", name="🎉").click()
    expect(comment.get_by_role("button", name="🎉 1")).to_have_attribute("aria-pressed", "true")
    comment.get_by_role("button", name="🎉 1").click()
    expect(comment.get_by_role("button", name="🎉 1")).to_have_count(0)

    comment.get_by_label("Edit the comment").click()
    edited = comment.get_by_label("Comment", exact=True)
    expect(edited).to_have_value(f"**Look** at this, @{server.email}")
    edited.fill("Seen at this hour")
    comment.get_by_role("button", name="Save").click()
    expect(comment).to_contain_text("Seen at this hour")

    anchor = comment.get_attribute("id")
    scriptless.goto(f"{trace_url}#{anchor}")
    expect(scriptless.locator(f"#{anchor}")).to_contain_text("Seen at this hour")

    traced.once("dialog", lambda dialog: dialog.accept())
    comment.hover()
    comment.get_by_label("Delete the comment").click()
    expect(traced.locator(f"#{anchor}")).to_have_count(0)


def test_what_should_have_been_answered(traced, trace_url):
    traced.keyboard.press("e")
    field = traced.get_by_label("Corrected output", exact=True).locator("visible=true").last
    expect(field).to_be_focused()
    before = field.input_value()
    assert before.strip()
    field.fill(f"{before} And nothing else.")
    field.press("Control+Enter")
    difference = traced.get_by_role("group", name="What the correction changes")
    expect(difference.locator("ins")).to_contain_text("And nothing else.")
    traced.goto(trace_url)
    expect(difference.locator("ins")).to_contain_text("And nothing else.")
    traced.once("dialog", lambda dialog: dialog.accept())
    traced.get_by_role("button", name="Delete the correction").click()
    expect(difference).to_have_count(0)


def test_star_and_tags(traced, trace_url):
    star = traced.get_by_role("button", name="Bookmark")
    expect(star).to_have_attribute("aria-pressed", "false")
    traced.keyboard.press("b")
    expect(star).to_have_attribute("aria-pressed", "true")
    traced.keyboard.press("#")
    field = traced.get_by_label("New tag")
    expect(field).to_be_focused()
    traced.keyboard.type("to discuss")
    traced.keyboard.press("Enter")
    expect(traced.locator("#trace-facts")).to_contain_text("#to discuss")
    expect(field).to_be_focused()
    traced.reload()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(traced.locator("#trace-facts")).to_contain_text("#to discuss")
    traced.get_by_label("Tags").click()
    traced.get_by_role("button", name="Remove the tag to discuss").click()
    expect(traced.locator("#trace-facts")).not_to_contain_text("#to discuss")
    traced.keyboard.press("Escape")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "false")


@pytest.fixture
def closed(traced):
    """Its page; whatever a test does, nobody else finds the trace open after it."""
    close_the_link(traced)
    yield traced
    traced.reload()
    close_the_link(traced)


def close_the_link(page):
    share = page.locator("#share-menu > summary")
    if "Public" in share.inner_text():
        share.click()
        page.get_by_role("button", name="Close the link").click()
        expect(page.locator("#messages")).to_contain_text("The link is closed")


def test_an_open_trace_is_read_by_whoever_has_the_link(closed, stranger, trace_url, project_url, demo):
    traced = closed
    stranger.goto(trace_url)
    expect(stranger).to_have_url(re.compile("/accounts/login/"))

    traced.locator("#share-menu > summary").click()
    traced.get_by_role("button", name="Open to everybody with the link").click()
    expect(traced.locator("#messages")).to_contain_text("Anybody with the link can read this trace now.")
    expect(traced.locator("#share-menu > summary")).to_contain_text("Public")

    answer = stranger.goto(trace_url)
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    tree = stranger.get_by_role("tree")
    expect(tree).to_be_visible()
    tree.locator(".row").nth(1).click()
    expect(stranger).to_have_url(re.compile("observation="))
    expect(stranger.locator("#observation .content").first).to_be_visible()
    expect(stranger.get_by_role("navigation")).to_have_count(0)
    expect(stranger.locator("form[method=post]")).to_have_count(0)
    ways_out = stranger.eval_on_selector_all(
        "a[href^='/']", "(links, own) => links.map(a => a.pathname).filter(path => !path.startsWith(own))",
        f"/projects/{project_url.rsplit('/', 1)[1]}/traces/{demo.chat}/",
    )  # fmt: skip
    assert not [path for path in ways_out if not re.search(r"/(raw|media|record|trace-download)/", path)]
    for other in (f"{project_url}/traces/", f"{project_url}/traces/{demo.agent}/", f"{project_url}/sessions/"):
        stranger.goto(other)
        expect(stranger).to_have_url(re.compile("/accounts/login/"))

    traced.locator("#share-menu > summary").click()
    traced.get_by_role("button", name="Close the link").click()
    expect(traced.locator("#messages")).to_contain_text("The link is closed")
    stranger.goto(trace_url)
    expect(stranger).to_have_url(re.compile("/accounts/login/"))
