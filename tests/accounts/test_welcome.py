"""The way in is printed at each start until somebody has used it."""

import pytest

from accounts import bootstrap

pytestmark = pytest.mark.django_db


@pytest.fixture
def first_start(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return bootstrap.ensure_first_account()


def test_it_is_there_until_the_first_sign_in(first_start, client):
    bootstrap.keep_welcome()
    assert first_start.password in bootstrap.welcome_file().read_text()
    assert client.login(email=first_start.email, password=first_start.password)
    assert not bootstrap.welcome_file().exists()
    bootstrap.keep_welcome()
    assert not bootstrap.welcome_file().exists()


def test_only_its_owner_can_read_it(first_start):
    bootstrap.keep_welcome()
    assert bootstrap.welcome_file().stat().st_mode & 0o077 == 0
