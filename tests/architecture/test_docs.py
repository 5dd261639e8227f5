"""Documentation is true: every setting, command and route that exists is mentioned, and every picture is there."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent.parent
READS = re.compile(
    r"""(?:env\.(?:text|flag|number|words|secret)|os\.environ\.get|_?environment?\.get)\(\s*"([A-Z][A-Z0-9_]+)\""""
)
#: what others set for us, not settings of ours
NOT_OURS = {"DJANGO_SETTINGS_MODULE"}


def settings_read():
    found = set()
    for folder in ("config", "accounts", "tracing"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(READS.findall(path.read_text(encoding="utf-8")))
    return found - NOT_OURS


def test_every_setting_is_documented():
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")))
    assert settings_read() - documented == set()


def test_every_command_of_ours_is_documented():
    text = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    ours = [
        name for name, app in get_commands().items() if app in ("config", "accounts", "tracing", "prompts", "evals")
    ]
    assert [name for name in ours if f"`manage.py {name}" not in text] == []


def test_every_make_target_named_in_a_page_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        named = set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))
        assert named - targets == set(), page.name


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
)
def test_links_and_pictures_lead_somewhere(page):
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        assert link.startswith("http") or (path.parent / link).exists(), link
