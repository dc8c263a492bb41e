"""Brings the database to the newest schema: `python3 -m app.migrate`.

The files in migrations/ are applied in name order, each once and in a transaction of its own. Several processes may start
at the same moment: an advisory lock lets one of them work while the others wait and then find nothing to do.
Old and new releases run side by side during a deployment, so a migration must leave the former release working.
"""

import hashlib
import logging
from pathlib import Path

import psycopg

from app.settings import Settings

DIRECTORY = Path(__file__).with_name("migrations")
LOCK = 7_305_061  # any number, the same in every release

log = logging.getLogger("uvicorn.error")


class MigrationError(RuntimeError):
    """The files and what was applied of them do not go together."""


def migrate(database_url: str, directory: Path = DIRECTORY) -> list[str]:
    """Returns the names of the migrations it applied."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))  # ends with the connection
        connection.execute(
            """CREATE TABLE IF NOT EXISTS schema_migrations (
                   name text PRIMARY KEY,
                   checksum text NOT NULL,
                   applied_at timestamptz NOT NULL DEFAULT now()
               )"""
        )
        applied = dict(connection.execute("SELECT name, checksum FROM schema_migrations"))
        return [file.name for file in sorted(directory.glob("*.sql")) if apply(connection, file, applied)]


def apply(connection: psycopg.Connection, file: Path, applied: dict[str, str]) -> bool:
    sql = file.read_text()
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if file.name in applied:
        if applied[file.name] != checksum:
            raise MigrationError(f"{file.name} was changed after it had been applied: add a new migration instead")
        return False
    with connection.transaction():
        connection.execute(sql)
        connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", (file.name, checksum))
    log.info("applied migration %s", file.name)
    return True


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print("applied:", ", ".join(migrate(Settings.from_environment().database_url)) or "nothing to do")
