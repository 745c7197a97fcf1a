"""Who may ask what."""

import sqlite3
from dataclasses import dataclass

from failover_receiver.store.database import Database


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token's holder and role; the token itself is kept only as its SHA-256."""

    name: str
    role: str
    digest: str
    created_at: float


class Tokens:
    """The table of tokens."""

    def __init__(self, store: Database) -> None:
        """Take the file that it is in."""
        self._store = store

    def all(self) -> list[StoredToken]:
        """All tokens, by name."""
        rows = self._store.rows("SELECT name, role, digest, created_at FROM tokens ORDER BY name")
        return [StoredToken(*row) for row in rows]

    def add(self, token: StoredToken) -> None:
        """Add a token. Raises ValueError if the name is taken."""
        row = (token.name, token.role, token.digest, token.created_at)
        with self._store.available(), self._store.transaction() as db:
            try:
                db.execute("INSERT INTO tokens (name, role, digest, created_at) VALUES (?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise ValueError(f"there is already a token named {token.name!r}: revoke it first") from None

    def remove(self, name: str) -> bool:
        """Forget a token; False if there was none of that name."""
        with self._store.available(), self._store.transaction() as db:
            return db.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount > 0
