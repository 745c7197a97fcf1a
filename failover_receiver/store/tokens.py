"""Who may ask what, and who is signed in to the page. Of each secret only the SHA-256 is kept."""

from dataclasses import dataclass

from failover_receiver.store.database import Database, Writing
from failover_receiver.store.history import Noted, note


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token's holder and role; the token itself is kept only as its SHA-256."""

    name: str
    role: str
    digest: str
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A browser that is signed in, by the digest of its cookie and of the token that was shown."""

    digest: str
    token: str
    opened_at: float


def insert(db: Writing, token: StoredToken) -> None:
    """Add a token in the transaction of what it is for. Raises ValueError if the name is taken."""
    done = db.execute(
        "INSERT INTO tokens (name, role, digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (token.name, token.role, token.digest, token.created_at, token.expires_at),
    )
    if done.rowcount == 0:
        raise ValueError(f"there is already a token named {token.name!r}: revoke it first")


def delete(db: Writing, name: str) -> bool:
    """Forget a token and who signed in with it, likewise; False if there was none of that name."""
    db.execute("DELETE FROM sessions WHERE token = (SELECT digest FROM tokens WHERE name = ?)", (name,))
    return db.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount > 0


class Tokens:
    """The tables of tokens and of sessions."""

    def __init__(self, store: Database) -> None:
        """Take the file that they are in."""
        self._store = store

    def all(self) -> list[StoredToken]:
        """All tokens, by name."""
        rows = self._store.rows("SELECT name, role, digest, created_at, expires_at FROM tokens ORDER BY name")
        return [StoredToken(*row) for row in rows]

    def add(self, token: StoredToken, noted: Noted | None = None) -> None:
        """Add a token, and tell it in the history. Raises ValueError if the name is taken."""
        with self._store.available(), self._store.transaction() as db:
            insert(db, token)
            if noted is not None:
                note(db, noted)

    def remove(self, name: str, noted: Noted | None = None) -> bool:
        """Forget a token, and tell it in the history; False if there was none of that name."""
        with self._store.available(), self._store.transaction() as db:
            gone = delete(db, name)
            if gone and noted is not None:
                note(db, noted)
        return gone

    def sessions(self) -> list[StoredSession]:
        """Who is signed in, oldest first."""
        rows = self._store.rows("SELECT digest, token, opened_at FROM sessions ORDER BY opened_at, digest")
        return [StoredSession(*row) for row in rows]

    def open_session(self, session: StoredSession, *, closing: list[str]) -> None:
        """Keep one, and forget others that are over."""
        with self._store.available(), self._store.transaction() as db:
            db.execute(
                "INSERT INTO sessions (digest, token, opened_at) VALUES (?, ?, ?)",
                (session.digest, session.token, session.opened_at),
            )
            db.executemany("DELETE FROM sessions WHERE digest = ?", [(digest,) for digest in closing])

    def close_session(self, digest: str) -> None:
        """Forget one."""
        with self._store.available(), self._store.transaction() as db:
            db.execute("DELETE FROM sessions WHERE digest = ?", (digest,))
