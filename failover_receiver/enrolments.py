"""Lets machines join by a bundle, once. The bundles' secrets are known here by their digests alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from failover_receiver.access import Role, digest, new_token
from failover_receiver.core import step
from failover_receiver.driver import Driver
from failover_receiver.registrar import Also, Registrar
from failover_receiver.registry.changes import Draft
from failover_receiver.registry.clients import Client, Others
from failover_receiver.registry.enrolment import LIFETIME, Asked, Enrolment, Standing
from failover_receiver.state import RefusedError, UnknownError, WorkerRegistered, WorkerSpec
from failover_receiver.store import Noted, SharedStore, Store, StoredToken, Writing
from failover_receiver.store.tokens import delete, insert
from wgfleet.names import NO_KEY

NOBODYS_KEY = NO_KEY
"""Stands for the key that the machine will make."""


class InvalidBundleError(Exception):
    """The secret opens nothing; it does not say why, because whoever guesses asks too."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A machine that has just joined."""

    name: str
    role: Role
    token: str = field(repr=False)
    tunnel_addresses: tuple[str, ...]
    receivers: tuple[str, ...]


class Enrolments:
    """The bundles that have been made out. Belongs to one event loop."""

    def __init__(self, driver: Driver, registrar: Registrar) -> None:
        """Take up where the store left off."""
        self._driver = driver
        self._registrar = registrar
        self._known = {made.digest: made for made in driver.store.enrolments.all()}

    async def catch_up(self) -> None:
        """Know those that other receivers made out, cancelled or saw used; for who holds the registrar's lock."""

        def read(store: Store) -> list[Enrolment] | None:
            if not isinstance(store, SharedStore) or not store.is_news("enrolments"):
                return None
            with store.reading("enrolments"):
                return store.enrolments.all()

        made = await self._driver.stored(read)
        if made is not None:
            self._known = {one.digest: one for one in made}

    def all(self) -> list[tuple[Enrolment, Standing]]:
        """Those that are not forgotten yet, oldest first."""
        now = self._driver.clock()
        return [(made, made.standing(now)) for made in self._known.values() if not made.is_forgotten(now)]

    async def make(self, name: str, role: Role, asked: Asked, *, who: str) -> tuple[Enrolment, str]:
        """A new one, with its secret, which is told this once. An older one of the name is good for nothing then.

        Raises:
            RefusedError: whoever used it would be refused.

        """
        async with self._registrar.lock:
            self._check(name, role, asked, await self._registrar.others())
            now, secret = self._driver.clock(), new_token()
            made = Enrolment(digest(secret), name, role, asked, who, now, now + LIFETIME)
            gone = [
                one.digest
                for one in self._known.values()
                if one.is_forgotten(now) or (one.name == name and one.standing(now) is Standing.OPEN)
            ]
            noted = self._noted("enrolment made", made, f"{role}{', again' if asked.again else ''}", who)
            await self._keep(gone, noted, made)
            return made, secret

    async def cancel(self, name: str, *, who: str) -> None:
        """Let nobody use the open one of that name. Raises UnknownError if there is none."""
        async with self._registrar.lock:
            if not await self.cancel_locked(name, who=who):
                raise UnknownError(
                    f"there is no open enrolment of {name!r}: `wgfleet enrolment list` names all"
                )

    async def cancel_locked(self, name: str, *, who: str) -> bool:
        """Likewise, for who holds the registrar's lock; False if there is none."""
        now = self._driver.clock()
        made = next(
            (one for one in self._known.values() if one.name == name and one.standing(now) is Standing.OPEN),
            None,
        )
        if made is None:
            return False
        await self._keep([made.digest], self._noted("enrolment cancelled", made, made.role, who))
        return True

    async def use(self, secret: str, public_key: str) -> Enrolled:
        """Let the machine with this key join.

        Raises:
            InvalidBundleError: it is not known, was used, or has expired.
            RefusedError: its key or address is somebody else's by now; the bundle stays good.

        """
        async with self._registrar.lock:
            made = self._known.get(digest(secret))
            if (
                made is None
                or made.standing(self._driver.clock()) is not Standing.OPEN
                or self._is_gone(made)
            ):
                raise InvalidBundleError
            token = new_token()
            addresses = await (self._worker if made.role == Role.WORKER else self._client)(
                made, public_key, token
            )
            self._known[made.digest] = replace(made, used_at=self._driver.clock())
            return Enrolled(made.name, Role(made.role), token, addresses, made.asked.receivers)

    async def dismiss_locked(self, worker: str, *, who: str) -> None:
        """Let a known worker's token and open bundle open nothing any more; for who holds the registrar's lock."""
        if worker not in self._driver.state.workers:
            return
        await self.cancel_locked(worker, who=who)
        held = (await self._registrar.others()).roles.get(worker)
        if held != Role.WORKER:
            return
        state = self._driver.state
        noted = Noted(
            self._driver.clock(), who, "token revoked", worker, "removed", state.epoch, state.generation
        )

        def forget(store: Store, db: Writing) -> None:
            delete(db, worker)
            store.note(db, noted)

        await self._registrar.write(forget)

    def _is_gone(self, made: Enrolment) -> bool:
        """Whether it would bring back one that was revoked or removed since."""
        return made.asked.again and made.name not in self._registered_as(made.role)

    def _check(self, name: str, role: Role, asked: Asked, others: Others) -> None:
        held = others.roles.get(name, role)
        if held != role:
            raise RefusedError(f"name {name!r} is that of a token with the role {held}: choose another")
        registered = self._registered_as(role)
        if asked.again and name not in registered:
            raise UnknownError(f"there is no {role} {name!r} to enrol again: enrol it as a new one")
        if not asked.again and (name in registered or name in others.roles):
            raise RefusedError(
                f"{role} {name!r} is known: to replace its key and token, say that it is enrolled again (--again)"
            )
        made = Enrolment("", name, role, asked, "", 0.0, 0.0)
        if role is Role.WORKER:
            self._check_worker(made)
        else:
            self._registrar.draft(others).put(made.wish(NOBODYS_KEY))

    def _registered_as(self, role: str) -> Collection[str]:
        """The names among which that of such a machine is: a vantage is a client to workers."""
        return self._driver.state.workers if role == Role.WORKER else self._registrar.roll.clients

    def _check_worker(self, made: Enrolment) -> None:
        event = self._registered(made, NOBODYS_KEY)
        self._registrar.check_worker(made.name, event.spec)
        step(self._driver.state, event, now=self._driver.clock(), policy=self._driver.policy)

    def _registered(self, made: Enrolment, public_key: str) -> WorkerRegistered:
        known = self._driver.state.workers.get(made.name)
        spec: WorkerSpec | None = made.asked.worker or (None if known is None else known.spec)
        if spec is None:
            raise RefusedError(f"worker {made.name!r} is new: say its endpoints and tunnel addresses")
        return WorkerRegistered(made.name, replace(spec, public_key=public_key), new_key=made.asked.again)

    async def _client(self, made: Enrolment, public_key: str, token: str) -> tuple[str, ...]:
        wish = made.wish(public_key)

        def put(draft: Draft) -> Client:
            return draft.put(wish)

        client, _ = await self._registrar.change_locked(put, who=made.name, also=self._spent(made, token))
        return client.addresses

    async def _worker(self, made: Enrolment, public_key: str, token: str) -> tuple[str, ...]:
        event = self._registered(made, public_key)
        # Before the bundle is spent: a crash in between lets the same machine try again, and no other.
        await self._registrar.register(event, who=made.made_by)
        await self._registrar.change_locked(lambda _draft: None, who=made.name, also=self._spent(made, token))
        return event.spec.tunnel_addresses

    def _spent(self, made: Enrolment, token: str) -> Also:
        now = self._driver.clock()
        noted = self._noted(f"{made.role} enrolled", made, f"by a bundle of {made.made_by}", made.name)
        held = StoredToken(made.name, made.role, digest(token), now)
        store = self._driver.store

        def spend(db: Writing) -> None:
            store.fence(db, "enrolments")
            if not store.enrolments.use(db, made.digest, at=now):
                raise InvalidBundleError
            delete(db, made.name)
            insert(db, held)
            store.note(db, noted)

        return spend

    async def _keep(self, gone: Sequence[str], noted: Noted, made: Enrolment | None = None) -> None:
        def keep(store: Store, db: Writing) -> None:
            store.fence(db, "enrolments")
            for one in gone:
                store.enrolments.remove(db, one)
            if made is not None:
                store.enrolments.add(db, made)
            store.note(db, noted)

        await self._registrar.write(keep)
        for one in gone:
            del self._known[one]
        if made is not None:
            self._known[made.digest] = made

    def _noted(self, what: str, made: Enrolment, why: str, who: str) -> Noted:
        state = self._driver.state
        return Noted(self._driver.clock(), who, what, made.name, why, state.epoch, state.generation)
