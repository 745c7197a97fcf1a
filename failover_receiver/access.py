"""Who may ask what: bearer tokens, each with a role."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from failover_receiver.store import StoredToken

TOKEN_BYTES = 32
"""256 random bits: no dictionary helps, so a plain SHA-256 is enough to keep it by."""


class Role(StrEnum):
    """What a token's holder is."""

    OPERATOR = "operator"
    ALERTMANAGER = "alertmanager"
    PROMETHEUS = "prometheus"
    WORKER = "worker"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks."""

    name: str
    role: Role


class DeniedError(Exception):
    """Not let in; the text says what would open."""

    def __init__(self, status: int, reason: str) -> None:
        """Take 401 (who are you) or 403 (not you)."""
        super().__init__(reason)
        self.status = status


def new_token() -> str:
    """A new secret, to be shown once."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Gate:
    """Knows the tokens' digests."""

    def __init__(self, tokens: Iterable[StoredToken]) -> None:
        """Begin with these."""
        self._holders: dict[str, Holder] = {}
        self.learn(tokens)

    def learn(self, tokens: Iterable[StoredToken]) -> None:
        """Know these tokens from now on, and no others."""
        self._holders = {token.digest: Holder(token.name, Role(token.role)) for token in tokens}

    def admit(self, authorization: str | None, allowed: frozenset[Role]) -> Holder:
        """The holder of the header's token. Raises DeniedError."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise DeniedError(401, "a token is needed: send the header `Authorization: Bearer <token>`")
        # Looking the digest up leaks no more of the token by its timing than its digest's first bytes.
        holder = self._holders.get(digest(token.strip()))
        if holder is None:
            raise DeniedError(
                401, "this token is not known here: it was mistyped, revoked, or is another fleet's"
            )
        if holder.role not in allowed:
            needed = " or ".join(sorted(allowed))
            raise DeniedError(403, f"token {holder.name!r} has the role {holder.role}, this needs {needed}")
        return holder
