"""Who may ask what: bearer tokens, each with a role."""

import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable

from fastapi import Request

from failover_receiver.holders import Holder, Holders, Role
from failover_receiver.limits import Failures, Seldom
from failover_receiver.store import StoredToken
from wgfleet.logs import say

__all__ = ["DeniedError", "Gate", "Holder", "Role", "digest", "last_operator", "new_token"]

log = logging.getLogger(__name__)
ROLES = frozenset(map(str, Role))
TOKEN_BYTES = 32
"""256 random bits: no dictionary helps, so a plain SHA-256 is enough to keep it by."""


class DeniedError(Exception):
    """Not let in; the text says what would open."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        """Take 401 (who are you), 403 (not you) or 429 (not now, but in so many seconds)."""
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says besides, for programs."""
        if self.retry_after is not None:
            return {"Retry-After": str(self.retry_after)}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}


def new_token() -> str:
    """A new secret, to be shown once."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str | bytes) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token if isinstance(token, bytes) else token.encode()).hexdigest()


def last_operator(tokens: Iterable[StoredToken], *, now: float) -> str | None:
    """The name of the only operator's token that opens now; None if there are more, or none."""
    names = [
        token.name
        for token in tokens
        if token.role == Role.OPERATOR and (token.expires_at is None or now < token.expires_at)
    ]
    return names[0] if len(names) == 1 else None


class Gate:
    """Knows the tokens' digests. A token that is right is let in whatever else was tried from its address.

    So a neighbour behind the same router locks nobody out; and 256 random bits are not guessed at any speed.
    """

    def __init__(
        self, tokens: Iterable[StoredToken], *, clock: Callable[[], float], lent: Iterable[Holder] = ()
    ) -> None:
        """Begin with these. Who is lent a token for as long as this process lives stands in no store."""
        self._clock = clock
        self._lent = {holder.digest: holder for holder in lent}
        self._followers: list[Callable[[], None]] = []
        self._holders: Holders = {}
        self._used: dict[str, float] = {}
        self._failures = Failures()
        self._seldom = Seldom()
        self.learn(tokens)

    def learn(self, tokens: Iterable[StoredToken]) -> None:
        """Know these tokens from now on, and no others; then tell the followers."""
        # A role that only a newer receiver on the same store knows opens nothing here, and keeps nothing else from being learnt.
        held = (
            Holder(token.name, Role(token.role), token.digest, token.expires_at)
            for token in tokens
            if token.role in ROLES
        )
        self.hold({holder.digest: holder for holder in held})

    def hold(self, holders: Holders) -> None:
        """Likewise, of holders by their digests."""
        self._holders = {**holders, **self._lent}
        self._used = {key: at for key, at in self._used.items() if key in self._holders}
        for changed in self._followers:
            changed()

    @property
    def holders(self) -> Holders:
        """All who are known, by digest: another mapping after each change, so this one stays as it is."""
        return self._holders

    def follow(self, changed: Callable[[], None]) -> None:
        """Call this after each change of what is known, as long as the gate lives: whoever holds streams ends some."""
        self._followers.append(changed)

    def lends(self, holder: Holder) -> bool:
        """Whether its token stands in no store: it is a part of this program."""
        return holder.digest in self._lent

    def knows(self, holder: Holder) -> bool:
        """Whether one that was let in would still be: not revoked, not expired."""
        return holder.digest in self._holders and not self._expired(holder)

    def holder(self, digest: str) -> Holder | None:
        """Whose token has this digest, if it opens now."""
        holder = self._holders.get(digest)
        return holder if holder is not None and not self._expired(holder) else None

    def lets_in(self, token: bytes, allowed: frozenset[Role]) -> bool:
        """Whether this token opens now for one of these roles. If not, nothing is counted: to refuse it is `recognise`'s."""
        key = digest(token)
        holder = self.holder(key)
        if holder is None or holder.role not in allowed:
            return False
        self._used[key] = self._clock()
        return True

    def last_used(self, digest: str) -> float | None:
        """When the token with this digest was last let in; None if not since the start."""
        return self._used.get(digest)

    def admit(self, authorization: str | None, allowed: frozenset[Role], *, address: str = "") -> Holder:
        """The holder of the header's token. Raises DeniedError."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise DeniedError(401, "a token is needed: send the header `Authorization: Bearer <token>`")
        return self.recognise(token.strip(), allowed, address=address)

    def allow(self, *roles: Role) -> Callable[[Request], Awaitable[Holder]]:
        """A dependency that lets only these roles in; a coroutine, because a function would cost a change of threads."""
        allowed = frozenset(roles)

        async def check(request: Request) -> Holder:
            address = "" if request.client is None else request.client.host
            return self.admit(request.headers.get("authorization"), allowed, address=address)

        return check

    def recognise(self, token: str, allowed: frozenset[Role], *, address: str = "") -> Holder:
        """The token's holder. Raises DeniedError."""
        # Looking the digest up leaks no more of the token by its timing than its digest's first bytes.
        key = digest(token)
        holder = self._holders.get(key)
        if holder is None:
            self.may_try(address)
            self.failed(address)
            raise DeniedError(
                401, "this token is not known here: it was mistyped, revoked, or is another fleet's"
            )
        if self._expired(holder):
            raise DeniedError(401, f"token {holder.name!r} has expired: have an operator make a new one")
        if holder.role not in allowed:
            needed = " or ".join(sorted(allowed))
            raise DeniedError(403, f"token {holder.name!r} has the role {holder.role}, this needs {needed}")
        self._used[key] = self._clock()
        return holder

    def may_try(self, address: str) -> None:
        """Raise DeniedError if too much that came from there lately was wrong."""
        now = self._clock()
        wait = self._failures.wait(address, now=now)
        if wait == 0:
            return
        if self._seldom.now(address, now=now):
            say(log, "too many wrong tokens", level=logging.WARNING, address=address)
        raise DeniedError(
            429, f"too many wrong tokens from {address}: try again in {wait} s", retry_after=wait
        )

    def failed(self, address: str) -> None:
        """Count a wrong secret that came from there."""
        self._failures.count(address, now=self._clock())

    def _expired(self, holder: Holder) -> bool:
        return holder.expires_at is not None and self._clock() >= holder.expires_at
