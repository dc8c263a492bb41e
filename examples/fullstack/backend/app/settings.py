"""What the deployment tells this process."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    database_url: str
    release_sha: str = "unknown"
    environment: str = "development"

    @classmethod
    def from_environment(cls, environ=os.environ) -> "Settings":
        if not environ.get("DATABASE_URL"):
            raise SystemExit("DATABASE_URL is not set: give it a PostgreSQL URL")
        return cls(
            database_url=environ["DATABASE_URL"],
            release_sha=environ.get("RELEASE_SHA") or cls.release_sha,
            environment=environ.get("ENVIRONMENT") or cls.environment,
        )
