"""What the receiver's ingest is measured against: alerts in FastAPI as one writes it, one commit for each of them.

The same durability (write-ahead log, synchronous=FULL), the same question for a token, the same server beneath. Started
as `python -m tests.bench._plain FOLDER`; the token comes on standard input.
"""

import sqlite3
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import uvicorn
import uvloop
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

from failover_receiver.access import digest

SCHEMA = """
CREATE TABLE alerts (fingerprint TEXT PRIMARY KEY, name TEXT, worker TEXT, status TEXT, starts_at REAL);
CREATE TABLE tokens (digest TEXT PRIMARY KEY, role TEXT);
"""
UPSERT = (
    "INSERT INTO alerts VALUES (?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET"
    " status = excluded.status, starts_at = excluded.starts_at"
)


class Alert(BaseModel):
    """One of a webhook's."""

    status: str
    labels: dict[str, str]
    startsAt: datetime  # noqa: N815 - Alertmanager's own name.
    fingerprint: str


class Webhook(BaseModel):
    """A webhook's body."""

    version: str
    alerts: list[Alert]


def application(db: sqlite3.Connection, tokens: frozenset[str]) -> FastAPI:
    """The handler."""
    app = FastAPI()

    async def allowed(authorization: Annotated[str, Header()] = "") -> None:
        if digest(authorization.removeprefix("Bearer ")) not in tokens:
            raise HTTPException(401)

    @app.post("/v1/alerts", dependencies=[Depends(allowed)])
    async def deliver(webhook: Webhook) -> dict[str, int]:
        for alert in webhook.alerts:  # Without a transaction around it, each one is committed.
            labels = alert.labels
            started = alert.startsAt.timestamp()
            db.execute(
                UPSERT, (alert.fingerprint, labels["alertname"], labels["worker"], alert.status, started)
            )
        return {"accepted": len(webhook.alerts)}

    return app


def main() -> None:
    """Serve until killed; the first line of output says where."""
    db = sqlite3.connect(Path(sys.argv[1]) / "plain.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(SCHEMA)
    app = application(db, frozenset({digest(sys.stdin.readline().strip())}))
    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False)
    socket = config.bind_socket()
    print(f"http://127.0.0.1:{socket.getsockname()[1]}", flush=True)
    uvloop.run(uvicorn.Server(config).serve([socket]))


if __name__ == "__main__":
    main()
