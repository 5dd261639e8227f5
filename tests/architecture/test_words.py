"""All words for people go through gettext: none stand bare in a template, in an attribute or in a script."""

from __future__ import annotations

import re
from pathlib import Path

from django.template.base import Lexer, TokenType

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static" / "js").rglob("*.js"))
#: names and signs that are the same in every language
SAME = {
    "Spanwise", "Langfuse",
    "OpenTelemetry", "OpenAPI", "Markdown", "JSON", "JSONL", "CSV", "Raw", "API", "OTLP", "HTTP",
    "openapi", "json", "curl", "Home", "End", "Enter", "Esc", "Space",
    "Shift", "Ctrl", "Alt", "Tab", "PageUp", "PageDown",
    "Delete", "Backspace",
}  # fmt: skip
_NO_PROSE = re.compile(r"<(script|style|pre|code|kbd|svg)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
_SPOKEN = re.compile(r"\s(?:title|aria-label|placeholder|alt|aria-description|data-confirm)=\"([^\"]*)\"")
_TAG = re.compile(r"<[^>]*>", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]{3,}")
#: stands for what a template tag writes
_WRITTEN = "\x00"


def _prose(source: str) -> str:
    """The template's own text, without what its tags write and without what they translate."""
    text, is_translated = [], False
    source = source.replace("{% block column %}wide-column{% endblock %}", "")  # a class
    for token in Lexer(source).tokenize():
        name = token.contents.partition(" ")[0] if token.token_type is TokenType.BLOCK else ""
        if name in ("blocktranslate", "blocktrans", "comment", "endblocktranslate", "endblocktrans", "endcomment"):
            is_translated = not name.startswith("end")
        text.append(token.contents if token.token_type is TokenType.TEXT and not is_translated else _WRITTEN)
    return "".join(text)


def _bare(words: str) -> list[str]:
    return [word for word in _WORD.findall(re.sub(r"&\w+;", " ", words)) if word not in SAME]


def test_templates_say_nothing_untranslated():
    for path in TEMPLATES:
        prose = _prose(path.read_text())
        spoken = [bare for said in _SPOKEN.findall(prose) for bare in _bare(said)]
        assert not spoken, (path, spoken)
        assert not (words := _bare(_TAG.sub(" ", _NO_PROSE.sub(" ", prose)))), (path, words)


def test_scripts_take_their_words_from_the_page():
    for path in SCRIPTS:
        text = path.read_text()
        said = re.findall(r"(?:textContent|title|placeholder|ariaLabel)\s*=\s*[`\"']([^`\"']*)", text)
        said += re.findall(r"setAttribute\(\"(?:title|aria-label|placeholder)\",\s*[`\"']([^`\"']*)", text)
        bare = [word for words in said for word in _bare(re.sub(r"\$\{[^}]*\}?", " ", words))]
        assert not bare, (path, bare)
