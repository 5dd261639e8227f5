"""Dashboards as they are read: charts come in, are narrowed, turned into tables, and lead to their rows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

PANEL = ".panel[data-name='{}']"


@pytest.fixture
def home(page, demo, project_url):
    page.goto(f"{project_url}/home/?range=30d")
    expect(page.locator(f"{PANEL.format('calls-by-model')} canvas")).to_be_visible()
    return page


def test_home_fills_by_itself_and_is_the_way_in(home, server):
    for name in ("traces", "cost", "tokens", "latency"):
        expect(home.locator(f"{PANEL.format(name)} .value")).to_have_text(re.compile(r"\d"))
    expect(home.locator(f"{PANEL.format('today-by-model')} .panel-body")).not_to_have_attribute("aria-busy", "true")
    home.goto(server.url)
    expect(home).to_have_url(re.compile(r"/home/"))


def test_a_number_leads_to_the_rows_that_it_counts(home):
    traces = home.locator(f"{PANEL.format('traces')} .value")
    shown = traces.inner_text()
    traces.click()
    expect(home).to_have_url(re.compile(r"/traces/\?"))
    expect(home.locator("#rows tr[data-id]").first).to_be_visible()
    home.go_back()
    expect(home.locator(f"{PANEL.format('traces')} .value")).to_have_text(shown)


def test_a_bar_leads_to_the_list_of_its_stretch_of_time(home):
    plot = home.locator(f"{PANEL.format('calls-by-day')} [data-plot]")
    plot.scroll_into_view_if_needed()
    expect(plot.locator("canvas")).to_be_visible()
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] - 20, "y": box["height"] / 2})
    expect(home).to_have_url(re.compile(r"/observations/\?.*from=\d{4}.*to=\d{4}"))


def test_charts_are_tables_too(home):
    panel = home.locator(PANEL.format("calls-by-model"))
    panel.hover()
    panel.get_by_label("More about Calls per model").click()
    panel.get_by_role("button", name="As a table").click()
    expect(panel.locator("canvas")).to_have_count(0)
    expect(panel.get_by_role("columnheader", name="From")).to_be_visible()
    panel.get_by_label("More about Calls per model").click()
    with home.expect_download() as download:
        panel.get_by_role("link", name="Download CSV").click()
    assert download.value.suggested_filename == "calls-per-model.csv"


def test_names_of_a_legend_are_switched_off_and_on(home):
    panel = home.locator(PANEL.format("calls-by-model"))
    name = panel.locator("[data-legend] button").first
    name.click()
    expect(name).to_have_attribute("aria-pressed", "false")
    # What was switched off stays so when new figures come in.
    home.get_by_role("button", name="Read again").click()
    expect(name).to_have_attribute("aria-pressed", "false")
    name.click()
    expect(name).to_have_attribute("aria-pressed", "true")


def test_the_moment_pointed_at_in_one_chart_is_marked_in_the_others(home):
    plots = [home.locator(f"{PANEL.format(name)} [data-plot]") for name in ("calls-by-model", "latency-in-time")]
    for plot in plots:
        expect(plot.locator("canvas")).to_be_visible()
    before = plots[1].screenshot()
    plots[0].hover()
    expect(plots[0].locator(".chart-tip")).to_be_visible()
    marked = plots[1].screenshot()
    assert marked != before
    expect(plots[1].locator(".chart-tip")).to_have_count(0)
    home.mouse.move(2, 2)
    expect(plots[0].locator(".chart-tip")).to_be_hidden()
    assert plots[1].screenshot() != marked


def test_time_range_and_filters_are_in_the_address(home):
    home.get_by_text("Filter", exact=True).click()
    home.get_by_label("Model", exact=True).fill("gpt-4o-mini")
    home.get_by_role("button", name="Apply").last.click()
    expect(home).to_have_url(re.compile(r"range=30d.*model=gpt-4o-mini$"))
    expect(home.locator(f"{PANEL.format('calls')} .value")).to_have_text(re.compile(r"\d"))
    expect(home.locator(f"{PANEL.format('traces')} .unapplied")).to_be_visible()
    home.get_by_label("Take gpt-4o-mini away").click()
    expect(home).not_to_have_url(re.compile("model="))
    home.get_by_role("link", name="Cost", exact=True).click()
    expect(home).to_have_url(re.compile(r"/built-in/cost/\?range=30d"))
    expect(home.locator("canvas").first).to_be_visible()


def test_what_could_not_be_read_is_read_when_asked_again(page, watch, demo, project_url):
    page.route(re.compile(r"dashboards/figure/\?.*preset=cost-by-model"), lambda route: route.abort())
    page.goto(f"{project_url}/dashboards/built-in/cost/?range=30d")
    panel = page.locator(PANEL.format("cost-by-model"))
    expect(panel.get_by_text("could not be read")).to_be_visible()
    expect(page.locator(f"{PANEL.format('cost-in-time')} canvas")).to_be_visible()
    page.unroute_all()
    watch.problems.clear()  # that it was cut off
    panel.get_by_role("button", name="Try again").click()
    expect(panel.locator("canvas")).to_be_visible()


def test_on_a_phone_charts_stand_below_one_another(phone, demo, project_url):
    phone.goto(f"{project_url}/home/?range=30d")
    expect(phone.locator(f"{PANEL.format('calls-by-model')} canvas")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first, second = (phone.locator(PANEL.format(name)).bounding_box() for name in ("calls-by-model", "latency-in-time"))
    assert first["x"] == second["x"]
    assert second["y"] >= first["y"] + first["height"]


def test_without_a_script_each_chart_is_a_link_to_its_figures(scriptless, demo, project_url):
    scriptless.goto(f"{project_url}/home/?range=30d")
    scriptless.locator(PANEL.format("today-by-model")).get_by_role("link", name="Show").click()
    expect(scriptless.get_by_role("columnheader", name="Model")).to_be_visible()
    scriptless.goto(f"{project_url}/home/?range=30d")
    scriptless.locator(PANEL.format("calls-by-day")).get_by_role("link", name="Show").click()
    expect(scriptless.get_by_role("columnheader", name="From")).to_be_visible()


#: How many moments have a name on the axis of a plot.
NAMED = """async (plot) => {
    const { name } = performance.getEntriesByType("resource").find(({ name }) => name.includes("/echarts"));
    const axis = (await import(name)).getInstanceByDom(plot).getOption().xAxis[0];
    return axis.data.filter((_start, place) => axis.axisLabel.interval(place)).length;
}"""


def test_a_chart_names_as_many_moments_as_it_has_room_for(home):
    plot = home.locator(f"{PANEL.format('calls-by-model')} [data-plot]")
    expect(plot.locator("canvas")).to_be_visible()
    wide = plot.evaluate(NAMED)
    home.route("**/dashboards/figure/**", lambda route: route.abort())  # not because it is read again
    home.set_viewport_size({"width": 390, "height": 844})
    fewer = f"({{ plot, wide }}) => ({NAMED})(plot).then((now) => now < wide)"
    home.wait_for_function(fewer, arg={"plot": plot.element_handle(), "wide": wide})
