"""Bundles that have been made out; their secrets only as SHA-256."""

from pydantic import TypeAdapter

from failover_receiver.registry.enrolment import Asked, Enrolment
from failover_receiver.store.database import Database, Writing

_ASKED = TypeAdapter(Asked)


class EnrolmentTable:
    """The table of them. Rows are written in the caller's transaction, with the history and the token."""

    def __init__(self, store: Database) -> None:
        """Take the file that it is in."""
        self._store = store

    def all(self) -> list[Enrolment]:
        """Every one, oldest first."""
        rows = self._store.rows(
            "SELECT digest, name, role, asked, made_by, made_at, expires_at, used_at FROM enrolments"
            " ORDER BY made_at, digest"
        )
        return [
            Enrolment(digest, name, role, _ASKED.validate_json(asked), *rest)
            for digest, name, role, asked, *rest in rows
        ]

    def add(self, db: Writing, made: Enrolment) -> None:
        """Keep a new one."""
        row = (made.digest, made.name, made.role, _ASKED.dump_json(made.asked).decode())
        db.execute(
            "INSERT INTO enrolments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, made.made_by, made.made_at, made.expires_at, made.used_at),
        )

    def use(self, db: Writing, digest: str, *, at: float) -> bool:
        """Use one up; False if it is used or gone already."""
        done = db.execute(
            "UPDATE enrolments SET used_at = ? WHERE digest = ? AND used_at IS NULL", (at, digest)
        )
        return done.rowcount == 1

    def remove(self, db: Writing, digest: str) -> None:
        """Forget one."""
        db.execute("DELETE FROM enrolments WHERE digest = ?", (digest,))
