"""Tests run against a real PostgreSQL, named by DATABASE_URL, in schemas of their own that they drop afterwards."""

import os
import uuid
from contextlib import contextmanager

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.conninfo import make_conninfo

from app.main import create_app
from app.settings import Settings


@pytest.fixture(scope="session")
def server() -> str:
    url = os.environ.get("DATABASE_URL")
    if not url:
        pytest.exit("DATABASE_URL is not set: these tests need a PostgreSQL server", returncode=2)
    return url


@contextmanager
def new_schema(server: str):
    """The address of an empty schema that is dropped afterwards."""
    schema = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        yield make_conninfo(server, options=f"-c search_path={schema}")
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def database_url(server):
    """An empty schema."""
    with new_schema(server) as url:
        yield url


@pytest.fixture(scope="session")
def started(server):
    """One app for all tests that only call it: connecting and migrating take longer than most of them."""
    with new_schema(server) as database_url:
        settings = Settings(database_url=database_url, release_sha="0123abc", environment="test")
        with TestClient(create_app(settings)) as client:
            yield client


@pytest.fixture
def client(started):
    """A started app without entries."""
    with started.app.state.pool.connection() as connection:
        connection.execute("TRUNCATE entries RESTART IDENTITY")
    return started
