"""The relational store on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg

from tests.stores.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent.parent


def test_migrations_run_on_an_empty_database_and_again_on_a_full_one(postgres_server: Postgres) -> None:
    url = postgres_server.make_database("migrated")

    for _time in range(2):
        command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True)

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM accounts_user").fetchone() == (0,)
