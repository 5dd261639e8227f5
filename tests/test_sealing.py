"""Secrets of others are kept so that the database alone tells nothing."""

from __future__ import annotations

import pytest

from config.sealing import Unreadable, masked, seal, unseal


@pytest.mark.parametrize("text", ["", "sk-abc", "ключ 世界", "x" * 100_000])
def test_what_is_sealed_comes_back(text):
    sealed = seal(text)
    assert unseal(sealed) == text
    assert not text or text not in sealed


def test_equal_texts_are_sealed_differently():
    assert seal("same") != seal("same")


@pytest.mark.parametrize(
    "change", [lambda s: s[:-4] + "AAA=", lambda s: s.replace("v1", "v2"), lambda s: "", lambda s: "x"]
)
def test_what_was_changed_is_not_read(change):
    with pytest.raises(Unreadable):
        unseal(change(seal("secret")))


def test_keys_can_be_changed(settings):
    sealed = seal("secret")
    former, settings.ENCRYPTION_KEY = settings.ENCRYPTION_KEY, "a new one"
    with pytest.raises(Unreadable):
        unseal(sealed)
    settings.OLD_ENCRYPTION_KEYS = [former]
    assert unseal(sealed) == "secret"
    anew = seal("secret")
    settings.OLD_ENCRYPTION_KEYS = []
    assert unseal(anew) == "secret"


def test_a_mask_tells_one_from_another_and_no_more():
    assert masked("sk-proj-0123456789abcd") == "sk-…abcd"
    assert masked("short-secret") == "…"
