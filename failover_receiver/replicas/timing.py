"""How long a PostgreSQL may take."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from failover_receiver.store.connecting import cut

ANSWER_SECONDS = 3.0
"""A PostgreSQL that owes an answer for longer is cut off, however the network looks."""


@contextmanager
def in_time(db: psycopg.AsyncConnection, seconds: float = ANSWER_SECONDS) -> Iterator[None]:
    """Break the connection if this takes longer. Not a cancellation: psycopg would wait for the server to confirm it."""
    timer = asyncio.get_running_loop().call_later(seconds, cut, db)
    try:
        yield
    finally:
        timer.cancel()
