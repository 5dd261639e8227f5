"""The query language: what is read of a text, what is told of mistakes, and what a click makes of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.queries import observations, traces
from tracing.queries.explorer import Noun, edit, fields
from tracing.queries.explorer.language import All, Any_, Node, Query, Term, Words, parse
from tracing.queries.explorer.writing import quote, write_term

TRACES, OBSERVATIONS = Noun.TRACES, Noun.OBSERVATIONS

#: Anything that can be stored: no lone halves of characters.
anything = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


def _shown(node: Node) -> object:
    """A tree as nested tuples, without places."""
    sign = "-" if node.is_negated else ""
    if isinstance(node, Words):
        return f"{sign}{node.text!r}"
    if isinstance(node, Term):
        values = ["..".join("" if end is None else str(end) for end in (value.number, value.upper))
                  if value.operator == ".." else f"{value.operator}{value.text}" for value in node.values]  # fmt: skip
        return f"{sign}{node.name}:{'|'.join(values)}"
    kind = "all" if isinstance(node, All) else "any"
    return (sign + kind, *(_shown(child) for child in node.children))


def _terms(text: str, noun: Noun = TRACES) -> list[object]:
    query = parse(text, noun)
    assert query.problems == ()
    return [_shown(node) for node in query.terms]


READ = {
    "": [],
    "  ": [],
    "refund": ["'refund'"],
    "refund policy": ["'refund'", "'policy'"],
    '"refund policy"': ["'refund policy'"],
    "-refund": ["-'refund'"],
    "退款 café": ["'退款'", "'café'"],
    "level:ERROR": ["level:=ERROR"],
    "level:error": ["level:=ERROR"],
    "LEVEL:Error": ["level:=ERROR"],
    "-env:dev": ["-env:=dev"],
    "NOT env:dev": ["-env:=dev"],
    "--env:dev": ["env:=dev"],
    "environment:dev": ["env:=dev"],
    "userId:ada": ["user:=ada"],
    "level:(ERROR OR WARNING)": ["level:=ERROR|=WARNING"],
    'name:(a, "b c", d)': ["name:=a|=b c|=d"],
    "name:sup*": ["name:*sup*"],
    'name:"sup*"': ["name:=sup*"],
    "name:*": ["name:has"],
    "has:user": ["user:has"],
    "has:metadata.region": ["metadata.region:has"],
    "is:bookmarked": ["bookmarked:=true"],
    "-is:public": ["-public:=true"],
    "latency:>2": ["latency:>2"],
    "latency:1..5": ["latency:1..5"],
    "latency:..5": ["latency:..5"],
    "latency:500ms..1m": ["latency:0.5..60"],
    "tokens:1k..": ["tokens:1000.."],
    "cost:$0.1..2": ["cost:0.1..2"],
    "metadata.region:eu": ["metadata.region:=eu"],
    'metadata."a b:c":"x y"': ["metadata.a b:c:=x y"],
    "metadata.size:>3": ["metadata.size:>3"],
    "scores.helpful:>0.8": ["scores.helpful:>0.8"],
    "scores.tone:nice": ["scores.tone:=nice"],
    'scores."two words":1..2': ["scores.two words:1..2"],
    "a AND b": ["'a'", "'b'"],
    "a b OR c": [("any", ("all", "'a'", "'b'"), ("all", "'c'"))],
    "(a OR b) c": [("any", ("all", "'a'"), ("all", "'b'")), "'c'"],
    "-(a b)": [("-all", "'a'", "'b'")],
    "env:prod (level:ERROR OR latency:>2)": [
        "env:=prod",
        ("any", ("all", "level:=ERROR"), ("all", "latency:>2")),
    ],
    "12:30 :) foo(bar) a-b -": ["'12:30'", "':)'", "'foo(bar)'", "'a-b'", "'-'"],
    r'"a \"b\" \\ c"': ["""'a "b" \\\\ c'"""],
    "android order ORDER": ["'android'", "'order'", "'ORDER'"],
}


@pytest.mark.parametrize("text", READ, ids=range(len(READ)))
def test_what_is_written_is_read(text):
    assert _terms(text) == READ[text]


def test_times_are_read_in_the_zone_of_the_page():
    [term] = parse("time:2026-01-31", OBSERVATIONS).terms
    assert isinstance(term, Term)
    assert term.values[0].number == datetime(2026, 1, 31, tzinfo=UTC)
    assert term.values[0].upper == datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert parse("time:>2026-01-31T10:00Z", OBSERVATIONS).problems == ()


#: a text, what its first problem must tell, and the stretch that it is about
PROBLEMS = {
    "nmae:x": ("name", "nmae"),
    "level:EROR": ("ERROR", "EROR"),
    "latency:fast": ("seconds", "fast"),
    "cost:2s": ("dollars", "2s"),
    "tokens:many": ("number", "many"),
    "time:yesterday": ("2026-01-31", "yesterday"),
    'say "hello': ("never closed", '"'),
    "(a OR b": ("never closed", "("),
    "name:(a b)": ("OR", "b"),
    "name:": ("missing", "name:"),
    "a OR": ("OR", "OR"),
    "NOT": ("NOT", "NOT"),
    "name:>3": ("text", ">3"),
    "is:great": ("is:bookmarked", "is:great"),
    "has:nothing": ("nothing", "nothing"),
    "public:maybe": ("true or false", "maybe"),
    "parent:x": ("Only observations", "parent"),
    "scores:>1": ("scores.name", "scores:"),
    "name.key:x": ("name:value", "name.key"),
    "latency:..": ("1..5", ".."),
    "xyzzy:plugh": ("quotes", "xyzzy"),
}


@pytest.mark.parametrize("text", PROBLEMS, ids=range(len(PROBLEMS)))
def test_mistakes_are_explained_in_their_place_and_left_out(text):
    words, about = PROBLEMS[text]
    query = parse(f"env:prod {text}", TRACES)
    problem = query.problems[0]
    assert words in problem.message
    assert query.text[problem.start : problem.end] == about
    assert _shown(query.terms[0] if query.terms else query.tree) is not None
    if "OR" not in text.split():
        assert "env:=prod" in str(_shown(query.tree))


@given(st.text(st.sampled_from('abOR ANDT-()":\\.,*<>=1 退 name:latency'), max_size=60))
def test_any_text_is_read_and_every_place_is_within_it(text):
    query = parse(text, TRACES)
    for problem in query.problems:
        assert 0 <= problem.start <= problem.end <= len(text)
    _check_places(query, query.terms)


def _check_places(query: Query, nodes: tuple[Node, ...]) -> None:
    at = 0
    for node in nodes:
        assert at <= node.start < node.end <= len(query.text)
        at = node.end
        if isinstance(node, All | Any_):
            _check_places(query, node.children)


@given(anything, anything)
def test_any_value_under_any_key_can_be_written_and_read_back(key, value):
    for text, name, read_key in (
        (write_term("name", value), "name", ""),
        (write_term("metadata", value, key=key), "metadata", key),
        (write_term("user", "x", value, "y", is_negated=True), "user", ""),
        (f"(a OR {write_term('tag', value, key='')})", "", ""),
    ):
        query = parse(f"before {text} after", TRACES)
        assert query.problems == ()
        term = query.terms[1]
        if not name:
            assert value in str(term) or repr(value)[1:-1] in str(term)
            continue
        assert isinstance(term, Term)
        assert (term.field.name, term.key, query.text[term.start : term.end]) == (name, read_key, text)
        assert value in [one.text for one in term.values if one.is_plain]


@given(anything.filter(str.strip))
def test_any_phrase_can_be_written_and_read_back(phrase):
    [words] = parse(quote(phrase), TRACES).terms
    assert isinstance(words, Words)
    assert words.text == phrase


def test_every_column_of_the_public_api_is_known():
    of_observations = observations.COLUMNS_V1 | observations.COLUMNS_V2
    for noun, columns in ((TRACES, traces.COLUMNS), (OBSERVATIONS, of_observations)):
        assert [name for name in columns if fields.find_field(name, noun) is None] == []


def test_a_query_beyond_all_bounds_is_told_so_and_finds_nothing():
    for text in ("x" * 5000, "a " * 500, "(" * 50 + "a" + ")" * 50):
        query = parse(text, TRACES)
        assert query.problems
        assert len(query.terms) <= 100


# --- What a click makes of it ------------------------------------------------------------------------------
CLICKS = {
    ("", "level", "ERROR"): "level:ERROR",
    ("refund", "level", "ERROR"): "refund level:ERROR",
    ("level:ERROR", "level", "ERROR"): "",
    ("level:ERROR x", "level", "WARNING"): "level:(ERROR OR WARNING) x",
    ("a level:(ERROR OR WARNING) b", "level", "ERROR"): "a level:WARNING b",
    ("a AND level:ERROR AND b", "level", "ERROR"): "a AND b",
    ("environment:prod", "env", "prod"): "",
    ("-env:dev", "env", "dev"): "env:dev",
    ("-env:(dev OR test)", "env", "dev"): "-env:test env:dev",
    ("a OR b", "env", "dev"): "(a OR b) env:dev",
    ("(a OR b) c", "env", "dev"): "(a OR b) c env:dev",
    ("name:sup*", "name", "support"): "name:sup* name:support",
    ("(env:dev OR level:ERROR)", "env", "dev"): "(env:dev OR level:ERROR) env:dev",
    ("", "name", 'a "b" OR'): r'name:"a \"b\" OR"',
    ("", "tag", "-x"): 'tag:"-x"',
}


@pytest.mark.parametrize("click", CLICKS, ids=range(len(CLICKS)))
def test_a_click_on_a_facet_changes_the_text(click):
    text, name, value = click
    assert edit.toggle(text, TRACES, name, value) == CLICKS[click]


@given(st.lists(st.tuples(st.sampled_from(["env", "tag", "user"]), anything), max_size=6))
def test_clicking_everything_again_leaves_nothing(clicks):
    text = ""
    clicks = list(dict.fromkeys(clicks))
    for name, value in clicks:
        text = edit.toggle(text, TRACES, name, value)
    for name, value in clicks:
        assert value in edit.chosen_values(parse(text, TRACES), name)
        text = edit.toggle(text, TRACES, name, value)
    assert text == ""


def test_values_are_left_out_and_taken_in_again():
    text = edit.exclude("refund env:dev", TRACES, "env", "dev")
    assert text == "refund -env:dev"
    assert edit.excluded_values(parse(text, TRACES), "env") == ["dev"]
    assert edit.exclude(text, TRACES, "env", "dev") == "refund"
    assert edit.only("env:(a OR b) x -env:c", TRACES, "env", "d") == "x env:d"


def test_a_range_is_set_moved_and_lifted():
    text = edit.set_range("refund", TRACES, "latency", 1, 2.5)
    assert text == "refund latency:1..2.5"
    assert edit.chosen_range(parse(text, TRACES), "latency") == (1, 2.5)
    text = edit.set_range(text, TRACES, "latency", 0.0000005)
    assert text == "refund latency:>=0.0000005"
    assert edit.chosen_range(parse(text, TRACES), "latency") == (0.0000005, None)
    text = edit.set_range(text, TRACES, "latency", None, 3)
    assert edit.chosen_range(parse(text, TRACES), "latency") == (None, 3)
    assert edit.set_range(text, TRACES, "latency") == "refund"
    assert edit.set_range("", TRACES, "scores", 0, 1, key="two words") == 'scores."two words":0..1'


def test_a_condition_is_removed_by_its_place():
    query = parse("a AND -env:dev (b OR c) d", TRACES)
    texts = [edit.remove(query.text, node.start, node.end) for node in query.terms]
    assert texts == ["-env:dev (b OR c) d", "a (b OR c) d", "a AND -env:dev d", "a AND -env:dev (b OR c)"]
