"""Tables of Doris are those of the records. What cannot be tried on a server here is held to what was read of it."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from django.core.management import call_command

from tests.stores.doris.server import pointed_at, started_double
from tracing.analytics import migrate, tables
from tracing.analytics.backends import doris as backend
from tracing.analytics.dialects.doris_nulls import NULLABLE
from tracing.analytics.records import NEVER
from tracing.ingest.clock import parse_time

STORED_AS = {
    "Text": "STRING",
    "Timestamp": "DATETIME(6)",
    "StringArray": "ARRAY<STRING>",
    "Boolean": "BOOLEAN",
    "Integer": "INT",
    "BigInteger": "BIGINT",
    "Float": "DOUBLE",
    "Money": "DECIMAL(38, 12)",
    "Map": "JSON",
}
_COLUMN = re.compile(r"^    `(\w+)` ([A-Z]\S*(?: \d+\))?) (NOT NULL|NULL),?$", re.MULTILINE)
_INDEX = re.compile(r"^    INDEX (\w+) \(`(\w+)`\) USING INVERTED(?: PROPERTIES \((.*)\))?,?$", re.MULTILINE)
_PARTITION = re.compile(r'^    PARTITION \w+ VALUES \[\("([\d-]+)"\), \("([\d-]+)"\)\)', re.MULTILINE)
#: `max_auto_partition_num` of the FE, unless it is told otherwise
MOST_PARTITIONS = 2000
NAMES = list(tables.KEYS)


def ddl(name):
    [file] = [file for file in migrate.schema_files(backend.FOLDER) if file.name == name]
    return file.sql


@pytest.mark.parametrize("name", NAMES)
def test_table_has_the_columns_of_the_records(name):
    declared = tables.metadata.tables[name].c
    found = {column: (kind, null) for column, kind, null in _COLUMN.findall(ddl(name))}

    assert set(found) == set(declared.keys())
    for column in declared:
        kind, null = found[column.name]
        is_key = column.name in tables.KEYS[name]
        if is_key and type(column.type).__name__ == "Text":
            assert re.fullmatch(r"VARCHAR\(\d+\)", kind)
        else:
            assert kind == STORED_AS[type(column.type).__name__]
        assert null == ("NULL" if f"{name}.{column.name}" in NULLABLE else "NOT NULL")


@pytest.mark.parametrize("name", NAMES)
def test_the_key_stands_first_and_holds_what_rows_are_spread_by(name):
    sql, key = ddl(name), tables.KEYS[name]

    assert tuple(column for column, _kind, _null in _COLUMN.findall(sql))[: len(key)] == key
    assert f"UNIQUE KEY ({', '.join(f'`{column}`' for column in key)})" in sql
    assert f"AUTO PARTITION BY RANGE (date_trunc(`{key[1]}`, 'month')) (\n" in sql
    [spread_by] = re.findall(r"DISTRIBUTED BY HASH \(`(\w+)`\) BUCKETS \{buckets\}", sql)
    assert spread_by in key
    for setting in ('"enable_unique_key_merge_on_write" = "true"', '"function_column.sequence_col" = "row_version"'):
        assert setting in sql
    assert '"replication_num" = "{replication_num}"' in sql


@pytest.mark.parametrize("name", NAMES)
def test_no_times_make_more_partitions_than_doris_allows(name):
    [earlier, later] = [[datetime.fromisoformat(day) for day in days] for days in _PARTITION.findall(ddl(name))]
    by_themselves = (later[0].year - earlier[1].year) * 12

    assert by_themselves + 2 < MOST_PARTITIONS
    assert earlier[0] <= NEVER.replace(tzinfo=None)
    assert parse_time("0000-01-01T00:00:00Z").replace(tzinfo=None) >= earlier[0]
    assert parse_time("9999-12-31T23:59:59Z").replace(tzinfo=None) < later[1]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_indexed_can_be_and_whole(name):
    """Doris has no such index on JSON, and leaves values beyond `ignore_above` out of it."""
    columns = {column: kind for column, kind, _null in _COLUMN.findall(ddl(name))}
    indexes = _INDEX.findall(ddl(name))

    assert indexes
    for _index, column, properties in indexes:
        assert columns[column].startswith(("STRING", "VARCHAR", "ARRAY"))
        assert properties == ("" if columns[column].startswith("ARRAY") else '"ignore_above" = "4096"')


def test_tables_are_not_made_where_that_is_forbidden(settings):
    with started_double() as double, pointed_at(double):
        settings.DORIS_MIGRATION_DISABLED = True
        call_command("migrate_analytics", automatic=True, verbosity=0)
        assert (double.database,) not in made(double)
        call_command("migrate_analytics", verbosity=0)
        assert (double.database,) in made(double)


def made(double):
    with double.store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        return list(cursor.fetchall())
