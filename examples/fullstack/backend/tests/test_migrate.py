from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app.migrate import DIRECTORY, MigrationError, migrate

NAMES = sorted(file.name for file in DIRECTORY.glob("*.sql"))


def test_all_migrations_are_applied_once_in_order(database_url):
    assert migrate(database_url) == NAMES
    assert migrate(database_url) == []


def test_processes_that_start_together_apply_each_migration_once(database_url):
    with ThreadPoolExecutor(4) as processes:
        results = list(processes.map(migrate, [database_url] * 4))
    assert sorted(name for result in results for name in result) == NAMES


def test_a_migration_that_fails_leaves_nothing_behind(database_url, tmp_path):
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good (i int);")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE half (i int); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database_url, tmp_path)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT name FROM schema_migrations").fetchall() == [("0001_good.sql",)]
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)


def test_an_applied_migration_must_not_change(database_url, tmp_path):
    migration = tmp_path / "0001_table.sql"
    migration.write_text("CREATE TABLE t (i int);")
    migrate(database_url, tmp_path)
    migration.write_text("CREATE TABLE t (i bigint);")
    with pytest.raises(MigrationError, match="0001_table.sql was changed"):
        migrate(database_url, tmp_path)
