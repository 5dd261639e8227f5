"""Signing in when something is amiss: the broker is away, somebody guesses passwords, somebody forges a host."""

from __future__ import annotations

from http import HTTPStatus as Status

import pytest
from allauth.core import context
from django.core.cache import cache
from django.test import Client, RequestFactory

from accounts.adapter import AccountAdapter
from config.settings import CACHES
from tests.factories import PASSWORD

LOGIN = "/accounts/login/"


@pytest.fixture
def bob_signs_in(workspace):
    workspace.bob.set_password(PASSWORD)
    workspace.bob.save()

    def sign_in(password=PASSWORD):
        return Client().post(LOGIN, {"login": workspace.bob.email, "password": password})

    return sign_in


@pytest.fixture
def real_cache(settings):
    """The cache as configured, of the broker or of one that nobody runs."""

    def use(location=CACHES["default"]["LOCATION"]):
        settings.CACHES = {"default": {**CACHES["default"], "LOCATION": location}}

    return use


def test_people_sign_in_while_the_broker_is_away(bob_signs_in, real_cache):
    scheme, _, _address = CACHES["default"]["LOCATION"].partition("://")
    real_cache(f"{scheme}://127.0.0.1:9/0")
    assert cache.get("anything", "nothing") == "nothing"
    assert bob_signs_in()["Location"] == "/"


def test_the_broker_still_says_who_was_first(real_cache, broker):
    real_cache()
    assert (cache.add("lock", 1), cache.add("lock", 1)) == (True, False)
    cache.delete("lock")


def test_too_often_is_a_page_that_says_so(db, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    client = Client()
    answers = [client.post("/accounts/password/reset/", {"email": "bob@example.com"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [Status.FOUND] * 5 + [Status.TOO_MANY_REQUESTS]
    page = answers[-1].content.decode()
    assert "That was too often" in page
    assert 'rel="stylesheet"' in page


@pytest.mark.parametrize("email", ["bob@example.com", "nobody@example.com"])
def test_links_in_mails_lead_to_the_public_address(workspace, mailoutbox, settings, email):
    settings.PUBLIC_URL = "https://traces.example"
    client = Client(headers={"host": "evil.example"})
    assert client.post("/accounts/password/reset/", {"email": email}).status_code == Status.FOUND
    mail = mailoutbox[0]
    assert "https://traces.example/accounts/" in mail.body
    assert "evil.example" not in f"{mail.subject} {mail.body}"


def test_the_mail_about_a_known_address_has_the_public_links_too(workspace, mailoutbox, settings):
    settings.PUBLIC_URL = "https://traces.example"
    request = RequestFactory().get(LOGIN, headers={"host": "evil.example"})
    with context.request_context(request):
        AccountAdapter(request).send_account_already_exists_mail("bob@example.com")
    assert mailoutbox[0].body.count("https://traces.example/accounts/") == 1
    assert "evil.example" not in f"{mailoutbox[0].subject} {mailoutbox[0].body}"
