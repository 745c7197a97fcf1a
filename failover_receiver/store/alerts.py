"""What is known of each alert: a row each, written when something of it has changed that no repetition brings again."""

from collections.abc import Mapping

from failover_receiver.state import Action, Alert
from failover_receiver.store.database import Database, Writing

REFRESH_SECONDS = 60.0
"""A write that is made anyway also brings what was heard by so much later than its row says. That alone is worth no
write; but with what was heard an hour ago, a restart would forget that an operator had overruled an alert."""

_UPSERT = (
    "INSERT INTO alerts (fingerprint, name, action, worker, starts_at, heard_at, ended_at, overruled)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET"
    " name = excluded.name, action = excluded.action, worker = excluded.worker, starts_at = excluded.starts_at,"
    " heard_at = excluded.heard_at, ended_at = excluded.ended_at, overruled = excluded.overruled"
)


class AlertTable:
    """Knows what its rows say, so that it can write the difference alone."""

    def __init__(self, store: Database) -> None:
        """Take the file that it is in."""
        self._store = store
        self._rows: dict[str, Alert] | None = None
        """As they are in the file; None: not known."""

    def all(self) -> dict[str, Alert]:
        """Every alert, by its fingerprint."""
        rows = self._store.rows(
            "SELECT fingerprint, name, action, worker, starts_at, heard_at, ended_at, overruled FROM alerts"
        )
        return {
            key: Alert(name, Action(action), worker, starts_at, heard_at, ended_at, bool(overruled))
            for key, name, action, worker, starts_at, heard_at, ended_at, overruled in rows
        }

    def write(self, db: Writing, alerts: Mapping[str, Alert]) -> None:
        """Make the rows say this, in a transaction. If that fails later on, `forget`."""
        rows = self._rows if self._rows is not None else self.all()
        changed = {
            key: alert
            for key, alert in alerts.items()
            if (row := rows.get(key)) is not alert and _differs(row, alert)
        }
        gone = rows.keys() - alerts.keys()
        if changed:
            db.executemany(_UPSERT, [_row(key, alert) for key, alert in changed.items()])
        if gone:
            db.executemany("DELETE FROM alerts WHERE fingerprint = ?", [(key,) for key in gone])
        rows.update(changed)
        for key in gone:
            del rows[key]
        self._rows = rows

    def forget(self) -> None:
        """Look at the file again before the next write: what was written is not there."""
        self._rows = None


def _differs(row: Alert | None, alert: Alert) -> bool:
    return (
        row is None
        or row.starts_at != alert.starts_at
        or row.ended_at != alert.ended_at
        or abs(row.heard_at - alert.heard_at) >= REFRESH_SECONDS
        or row.overruled != alert.overruled
        or row.worker != alert.worker
        or row.name != alert.name
        or row.action is not alert.action
    )


def _row(key: str, alert: Alert) -> tuple[object, ...]:
    return (
        *(key, alert.name, alert.action, alert.worker),
        *(alert.starts_at, alert.heard_at, alert.ended_at, alert.overruled),
    )
