"""Templates hold to the content security policy and to HTML; every script-made request has a plain twin."""

from __future__ import annotations

import re
from pathlib import Path

import html5lib
import pytest
from django.template.loader import get_template
from django.test import Client

from tests.factories import make_key, make_workspace

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "templates"
TEMPLATES = {
    str(path.relative_to(ROOT / "templates")): path.read_text() for path in (ROOT / "templates").rglob("*.html")
}
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))


def _without_comments(text: str) -> str:
    return re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", text, flags=re.DOTALL)


def _without_assignments(text: str) -> str:
    """`one=` is an attribute in HTML and a name in a tag."""
    return re.sub(r"{% (?:with|include|url|querystring)\b.*?%}", "", text)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\sstyle\s*=",
        r"\son[a-z]+\s*=",
        r"hx-on",
        r"hx-vals=['\"]js:",
        r"<script(?![^>]*\bsrc=)",
        r"<style",
        r"javascript:",
        r"(src|href)=['\"](https?:)?//",
        r"hx-trigger=['\"][^'\"]*\[",
    ],
)
def test_nothing_inline_and_nothing_from_elsewhere(pattern):
    assert not [
        name for name, text in TEMPLATES.items() if re.search(pattern, _without_assignments(_without_comments(text)))
    ]


def test_links_work_without_a_script():
    for name, text in TEMPLATES.items():
        for tag in re.findall(r"<a\s[^>]*hx-get[^>]*>", text):
            if "data-poll" in tag:
                continue  # reads itself anew; its link is another
            address = re.search(r'hx-get="([^"]*)"', tag)
            assert address, (name, tag)
            assert f'href="{address[1]}"' in tag, (name, tag)


def test_posts_carry_the_token():
    for name, text in TEMPLATES.items():
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, flags=re.DOTALL):
            assert "{% csrf_token %}" in form or '{% include "tracing/acts/_where.html" %}' in form, name


def test_templates_compile():
    for name in TEMPLATES:
        get_template(name)


def test_scripts_write_no_html_and_evaluate_nothing():
    wrong = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
    assert not [path.name for path in SCRIPTS if wrong.search(path.read_text())]


def _errors(html: str) -> list[str]:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    parser.parse(html)
    return [f"{position}: {code} {data}" for position, code, data in parser.errors]


@pytest.mark.parametrize(
    "address",
    [
        "/projects/{p}/traces/", "/projects/{p}/traces/?q=x+level%3AERROR", "/projects/{p}/observations/?range=all",
        "/projects/{p}/traces/{t}/",
        "/projects/{p}/traces/{t}/?view=json", "/projects/{p}/traces/nope/", "/projects/{p}/sessions/",
        "/projects/{p}/sessions/s/", "/projects/{p}/users/", "/projects/{p}/users/u/", "/projects/{p}/start/",
        "/projects/{p}/ingestion-problems/",
    ],
)  # fmt: skip
def test_pages_are_valid_html(address, db, settings, analytics_server):
    from tests.tracing.page_data import HOSTILE, put_trace

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    workspace = make_workspace()
    for _ in range(2):
        make_key(workspace.project)
    chat = '[{"role": "user", "content": "**hi**"}, {"role": "assistant", "content": "yes"}]'
    traced = put_trace(
        workspace.project.pk, {"name": HOSTILE, "level": "ERROR", "parent_id": "gone"}, {"end_time": None},
        root={"type": "GENERATION", "input": chat, "output": '{"a": [1, {"b": null}]}', "usage": {"input": 3}},
        name="valid", session_id="s", user_id="u", tags=["a"], metadata={"k": "v"},
        scores=({"name": "n", "value": 1.0},),
    )  # fmt: skip
    client = Client()
    client.force_login(workspace.alice, "allauth.account.auth_backends.AuthenticationBackend")
    answer = client.get(address.format(p=workspace.project.pk, t=traced.id))
    html = answer.content.decode()
    assert _errors(html) == []
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)), sorted(name for name in ids if ids.count(name) > 1)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name in re.findall(r'<label[^>]*for="([^"]+)"|data-copy="([^"]*)"', html):
        assert "".join(name) in ids
