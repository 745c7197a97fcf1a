"""The roll of clients, and which worker has applied which list of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from failover_receiver.registry.changes import Changes
from failover_receiver.registry.clients import Client, Revocation, Roll
from failover_receiver.store.database import Database, Writing


class Kept(NamedTuple):
    """What a roll is made of."""

    clients: Sequence[Client]
    revocations: Sequence[Revocation]
    freed: Mapping[str, float]
    confirmed: tuple[int, int] | None


class ClientTable:
    """The tables behind the roll. Rows are written in the caller's transaction, with the history and the document."""

    def __init__(self, store: Database) -> None:
        """Take the file that they are in."""
        self._store = store

    def roll(self) -> Roll:
        """All of it."""
        return Roll(*self.kept())

    def kept(self) -> Kept:
        """All that it is made of."""
        rows = self._store.rows
        clients = rows("SELECT name, public_key, addresses, networks, added_at FROM clients")
        confirmed = rows("SELECT epoch, generation FROM removals_confirmed")
        return Kept(
            [
                Client(name, key, tuple(json.loads(addresses)), tuple(json.loads(networks)), added_at)
                for name, key, addresses, networks, added_at in clients
            ],
            [Revocation(*row) for row in rows("SELECT public_key, name, at FROM revocations")],
            dict(rows("SELECT address, at FROM freed_addresses")),
            (confirmed[0][0], confirmed[0][1]) if confirmed else None,
        )

    def write(self, db: Writing, roll: Roll, changes: Changes) -> None:
        """Make the rows say what the roll says, where it has changed."""
        # Out first: a key or name may have gone from one client to another.
        db.executemany("DELETE FROM clients WHERE name = ?", ((name,) for name in changes.clients))
        db.executemany("INSERT INTO clients VALUES (?, ?, ?, ?, ?)", _clients(roll, changes.clients))
        db.executemany(
            "DELETE FROM revocations WHERE public_key = ?", ((key,) for key in changes.revocations)
        )
        revoked = (roll.revocations[key] for key in changes.revocations if key in roll.revocations)
        db.executemany(
            "INSERT INTO revocations VALUES (?, ?, ?)",
            ((one.public_key, one.name, one.at) for one in revoked),
        )
        db.executemany("DELETE FROM freed_addresses WHERE address = ?", ((one,) for one in changes.freed))
        freed = ((address, roll.freed[address]) for address in changes.freed if address in roll.freed)
        db.executemany("INSERT INTO freed_addresses VALUES (?, ?)", freed)
        if changes.confirmed and roll.confirmed is not None:
            db.execute(
                "INSERT INTO removals_confirmed VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " epoch = excluded.epoch, generation = excluded.generation",
                roll.confirmed,
            )

    def acks(self) -> dict[str, tuple[int, int]]:
        """The newest list that each worker has ever said it applied."""
        rows = self._store.rows("SELECT worker, epoch, generation FROM client_list_acks")
        return {worker: (epoch, generation) for worker, epoch, generation in rows}

    def acked(self, worker: str, number: tuple[int, int], *, at: float) -> None:
        """Keep what a worker has said."""
        with self._store.available(), self._store.transaction() as db:
            db.execute(
                "INSERT INTO client_list_acks VALUES (?, ?, ?, ?) ON CONFLICT (worker) DO UPDATE SET"
                " epoch = excluded.epoch, generation = excluded.generation, at = excluded.at",
                (worker, *number, at),
            )

    def roles(self) -> dict[str, str]:
        """The roles of all tokens, by their holders' names."""
        return dict(self._store.rows("SELECT name, role FROM tokens"))


def _clients(roll: Roll, names: Iterable[str]) -> Iterable[tuple[object, ...]]:
    for client in (roll.clients[name] for name in names if name in roll.clients):
        addresses, networks = json.dumps(client.addresses), json.dumps(client.networks)
        yield client.name, client.public_key, addresses, networks, client.added_at
