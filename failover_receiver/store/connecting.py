"""How a PostgreSQL is connected to, and what is said when it is not. No server may keep a receiver waiting for ever."""

import os
import random
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psycopg

from failover_receiver.store import libpq
from failover_receiver.store.dsn import Dsn
from wgfleet.pauses import Pauses

CONNECT_SECONDS = 2
IDLE_MILLISECONDS = 1000
"""A receiver that is frozen in a transaction keeps the others waiting for so long, and no longer."""
LOCK_MILLISECONDS = 1500
"""Whoever waits longer puts out those that hold a transaction open and say nothing."""
NAME = "wgfleet-receiver"
UNANSWERED_MILLISECONDS = 3000
"""The kernel gives up a connection whose other end acknowledges nothing for so long."""
PAUSE_FIRST, PAUSE_MOST = 0.1, 1.0
"""Seconds between attempts to connect, the bounds of the first and of the last: PostgreSQL's own restart takes about one."""

SESSION: Mapping[str, str] = {
    # Whoever has an answer of 2xx may rely on it, whatever the server's own configuration says.
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": f"{IDLE_MILLISECONDS}",
    "lock_timeout": f"{LOCK_MILLISECONDS}",
    "default_transaction_isolation": "read committed",
    "client_encoding": "UTF8",
}


def parameters(dsn: Dsn, name: str) -> dict[str, Any]:
    """What psycopg's connect takes, beside the URI."""
    said: dict[str, Any] = {
        "autocommit": True,
        "connect_timeout": CONNECT_SECONDS,
        "application_name": name,
        # A standby takes no writes; and one that is a primary no more would be kept, though the name leads elsewhere.
        "target_session_attrs": "read-write",
        "tcp_user_timeout": UNANSWERED_MILLISECONDS,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 3,
    }
    return said if dsn.password is None else {**said, "password": dsn.password}


def new_pauses() -> Pauses:
    """Between attempts to connect: receivers that a PostgreSQL has cut off together do not come back in step."""
    return Pauses(first=PAUSE_FIRST, most=PAUSE_MOST, draw=random.uniform)


def cut(db: psycopg.Connection | psycopg.AsyncConnection) -> None:
    """Break a connection, so that whoever waits for an answer waits no longer. From any thread."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(db.fileno())) as one:
        one.shutdown(socket.SHUT_RDWR)


def settled() -> str:
    """The statement that prepares a session."""
    said = ", ".join(f"set_config('{key}', '{value}', false)" for key, value in SESSION.items())
    return f"SELECT {said}"


def in_a_line(error: BaseException) -> str:
    """What went wrong, without the SQL it went wrong in."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return " ".join((primary or libpq.in_a_line(str(error))).split()) or type(error).__name__


def unreachable(dsn: Dsn, error: psycopg.Error) -> str:
    """Of one that does not let us in. Of libpq's words on a connection, none is secret."""
    return (
        f"PostgreSQL at {dsn} cannot be reached: {in_a_line(error)}; "
        "does it run, and do the user, password and pg_hba.conf let this in?"
    )
