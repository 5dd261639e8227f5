"""What stands in the environment, as it is read: what compose files pass on empty, and what is Langfuse's own."""

from __future__ import annotations

import pytest

from config import env, stores
from config.env import database_url


@pytest.mark.parametrize(("value", "default"), [("", True), (" ", True), ("", False)])
def test_an_empty_switch_is_none(monkeypatch, value, default):
    monkeypatch.setenv("SPANWISE_X", value)
    assert env.flag("SPANWISE_X", default=default) is default


def test_an_empty_list_is_none(monkeypatch):
    monkeypatch.setenv("SPANWISE_X", "")
    assert env.words("SPANWISE_X", ("localhost",)) == ["localhost"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", "sqlite:////data/x.sqlite3"),
        ("postgresql://u:p%40ss@db:5432/lf", "postgresql://u:p%40ss@db:5432/lf"),
        ("postgresql://u@db/lf?schema=public&connection_limit=5&pgbouncer=true", "postgresql://u@db/lf"),
        ("postgres://u@db/lf?sslmode=require&pool_timeout=3", "postgres://u@db/lf?sslmode=require"),
        ("postgresql://u@db/lf?schema=traces", "postgresql://u@db/lf?options=-c%20search_path%3Dtraces"),
        ("sqlite:////with space/x.sqlite3", "sqlite:////with space/x.sqlite3"),
    ],
)
def test_the_address_of_a_langfuses_database(monkeypatch, given, read):
    monkeypatch.setenv("DATABASE_URL", given)
    assert database_url("sqlite:////data/x.sqlite3") == read


@pytest.mark.parametrize(
    ("named", "missing"),
    [
        ({"CLICKHOUSE_URL": "http://ch"}, []),
        ({"DORIS_FE_HTTP_URL": "http://fe", "LANGFUSE_ANALYTICS_BACKEND": "doris"}, []),
        ({"DORIS_FE_HTTP_URL": "http://fe"}, ["CLICKHOUSE_URL (the analytics store)"]),
        ({"CLICKHOUSE_URL": "http://ch", "LANGFUSE_ANALYTICS_BACKEND": "doris"},
         ["DORIS_FE_HTTP_URL (the analytics store)"]),
    ],
)  # fmt: skip
def test_a_role_alone_starts_no_analytics_store_of_its_own(monkeypatch, named, missing):
    for name in ("CLICKHOUSE_URL", "DORIS_FE_HTTP_URL", "LANGFUSE_ANALYTICS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    shared = {"DATABASE_URL": "postgres://db", "REDIS_HOST": "r", "SALT": "s", "ENCRYPTION_KEY": "k"}
    for name, value in (shared | named).items():
        monkeypatch.setenv(name, value)
    assert stores.missing_for_one_role() == missing
    assert missing or not stores.starts_analytics()
