"""The schema for a ClickHouse cluster. There is none here: the engine's own parser reads what would be sent to one."""

from __future__ import annotations

import re

import pytest

from tracing.analytics import client, cluster, migrate
from tracing.analytics.backends import clickhouse

STATEMENTS = [clickhouse._HISTORY, *(s for file in migrate.schema_files(clickhouse.FOLDER) for s in file.statements)]


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_all_of_the_schema_is_for_all_servers(statement, analytics_server):
    sent = cluster.on_cluster(statement, "my-cluster")

    tree = str(client.call(lambda c: c.command(f"EXPLAIN AST {sent}")))
    assert tree
    assert " ON CLUSTER `my-cluster`" in sent
    # nothing else differs
    assert sent.replace(" ON CLUSTER `my-cluster`", "").replace("ENGINE = Replicated", "ENGINE = ") == statement
    assert re.findall(r"ENGINE = (\w+)", sent) == [
        f"Replicated{name}" for name in re.findall(r"ENGINE = (\w+)", statement)
    ]


def test_the_statement_names_its_cluster_behind_the_table():
    first = "-- why\nCREATE TABLE IF NOT EXISTS t (a UInt8)\nENGINE = ReplacingMergeTree(v, d)\nORDER BY a"
    assert cluster.on_cluster(first, "c") == (
        "-- why\nCREATE TABLE IF NOT EXISTS t ON CLUSTER `c` (a UInt8)\n"
        "ENGINE = ReplicatedReplacingMergeTree(v, d)\nORDER BY a"
    )
    assert (
        cluster.on_cluster("ALTER TABLE t ADD COLUMN b UInt8", "c") == "ALTER TABLE t ON CLUSTER `c` ADD COLUMN b UInt8"
    )


def test_what_would_change_one_server_only_is_refused():
    with pytest.raises(ValueError, match="no cluster takes"):
        cluster.on_cluster("DROP TABLE t", "c")


def test_without_a_cluster_nothing_is_changed(settings):
    settings.CLICKHOUSE_CLUSTER_ENABLED = False
    assert cluster.rendered(STATEMENTS[0]) == STATEMENTS[0]
    assert cluster.write_settings() == {}


def test_in_a_cluster_most_servers_must_have_an_insert(settings, monkeypatch):
    settings.CLICKHOUSE_CLUSTER_ENABLED, settings.CLICKHOUSE_CLUSTER_NAME = True, "default"
    sent = []
    monkeypatch.setattr(clickhouse.client, "call", lambda work, **options: work(Recorder(sent)))

    clickhouse.run("ALTER TABLE t ADD COLUMN b UInt8")
    clickhouse.insert_body("traces", ["id"], b'["a"]')

    assert sent[0] == "ALTER TABLE t ON CLUSTER `default` ADD COLUMN b UInt8"
    assert sent[1]["insert_quorum"] == "auto"


class Recorder:
    """A client that only notes what it is told."""

    def __init__(self, sent):
        self._sent = sent

    def command(self, sql):
        self._sent.append(sql)

    def raw_insert(self, table, columns, body, *, fmt, settings):
        self._sent.append(settings)
