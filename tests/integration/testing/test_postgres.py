"""The PostgreSQL that tests run on."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine, text

pytestmark = pytest.mark.postgres


def test_it_is_a_real_server_and_each_test_gets_an_empty_database(postgres_url):
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version()")).scalar().startswith("PostgreSQL")
        assert connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar() == 0
        connection.execute(text("CREATE TABLE left_behind (x int)"))
    engine.dispose()


def test_the_next_test_does_not_see_it(postgres_url):
    test_it_is_a_real_server_and_each_test_gets_an_empty_database(postgres_url)


def test_a_database_is_dropped_though_a_connection_was_left_open(postgres_server):
    name = postgres_server.create_database()
    with psycopg.connect(host=str(postgres_server.socket_folder), user="postgres", dbname=name) as connection:
        postgres_server.drop_database(name)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        connection.close()


def test_it_stops_and_leaves_nothing():
    from pathlib import Path

    from airflow_registry.testing.postgres import postgres_server

    with postgres_server() as server:
        assert Path(f"/proc/{server.pid}").exists()
        assert server.socket_folder.exists()
    assert not Path(f"/proc/{server.pid}").exists()
    assert not server.socket_folder.exists()
