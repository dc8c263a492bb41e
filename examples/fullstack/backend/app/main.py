"""The API: entries in PostgreSQL. Served by `uvicorn --factory app.main:app_from_environment`."""

from datetime import datetime

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from pydantic import BaseModel, constr

from app.migrate import migrate
from app.settings import Settings

NEWEST = 50
MAX_CONNECTIONS = 10
DATABASE_TIMEOUT_SECONDS = 2

api = APIRouter()


class NewEntry(BaseModel):
    text: constr(strip_whitespace=True, min_length=1, max_length=280)


class Entry(BaseModel):
    id: int
    text: str
    created_at: datetime


class Release(BaseModel):
    sha: str
    environment: str


@api.get("/healthz")
def healthz(request: Request) -> dict[str, str]:
    """Whether this process can do its work, for which it needs the database."""
    with request.app.state.pool.connection() as connection:
        connection.execute("SELECT 1")
    return {"status": "ok"}


@api.get("/release", response_model=Release)
def release(request: Request) -> Release:
    settings = request.app.state.settings
    return Release(sha=settings.release_sha, environment=settings.environment)


@api.get("/entries", response_model=list[Entry])
def entries(request: Request) -> list[dict]:
    """The newest entries, the newest first."""
    with request.app.state.pool.connection() as connection:
        return connection.execute(
            "SELECT id, text, created_at FROM entries ORDER BY created_at DESC, id DESC LIMIT %s", (NEWEST,)
        ).fetchall()


@api.post("/entries", response_model=Entry, status_code=201)
def add_entry(entry: NewEntry, request: Request) -> dict:
    with request.app.state.pool.connection() as connection:
        return connection.execute(
            "INSERT INTO entries (text) VALUES (%s) RETURNING id, text, created_at", (entry.text,)
        ).fetchone()


def database_is_away(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "the database does not answer"}, status_code=503)


def create_app(settings: Settings) -> FastAPI:
    """Makes the app; it connects when it is started, after the migrations."""
    app = FastAPI(title="Guest book")
    app.state.settings = settings
    app.state.pool = ConnectionPool(
        settings.database_url,
        min_size=1,
        max_size=MAX_CONNECTIONS,
        timeout=DATABASE_TIMEOUT_SECONDS,
        kwargs={"row_factory": dict_row},
        open=False,
    )

    @app.on_event("startup")
    def start() -> None:
        migrate(settings.database_url)
        app.state.pool.open()

    @app.on_event("shutdown")
    def stop() -> None:
        app.state.pool.close()

    app.add_exception_handler(OperationalError, database_is_away)
    app.include_router(api)
    return app


def app_from_environment() -> FastAPI:
    return create_app(Settings.from_environment())
