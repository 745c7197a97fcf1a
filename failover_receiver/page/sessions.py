"""Who is signed in to the page.

A cookie goes to every port of a host name, so to the Grafana beside the receiver as well. So it is not the operator's token
but a secret of its own, which opens the page and nothing else, and ends with the token that was shown for it.
"""

import asyncio

from failover_receiver.access import Gate, Holder, digest, new_token
from failover_receiver.driver import Driver
from failover_receiver.store import StoredSession, StoreUnavailableError

LIFETIME_SECONDS = 30 * 86400
"""A month on the wall of an office; whoever wants less signs out, or uses a token that expires."""

MOST_PER_TOKEN = 20
"""Browsers that are signed in with one token: with one more, the oldest is signed out."""


class Sessions:
    """Known by the digest of their cookies; kept in the store, so a restart signs nobody out."""

    def __init__(self, driver: Driver, gate: Gate) -> None:
        """Nobody is looked up yet."""
        self._driver = driver
        self._gate = gate
        self._known: dict[str, StoredSession] | None = None
        self._lock = asyncio.Lock()
        self._changed = False
        gate.follow(self._look_again)

    def _look_again(self) -> None:
        """Another receiver may have signed somebody in or out."""
        self._changed = True

    async def load(self) -> None:
        """Read them from the store, once for each change: a stranger with any cookie must not keep it from taking alerts."""
        async with self._lock:
            if self._known is None or self._changed:
                self._changed = False
                try:
                    kept = await self._driver.stored(lambda store: store.tokens.sessions())
                except StoreUnavailableError:
                    self._changed = True
                    if self._known is None:
                        raise
                    return  # As they were: the page tells what is wrong.
                self._known = {session.digest: session for session in kept}

    def holder(self, cookie: str | None) -> Holder | None:
        """Who signed in, if that still counts."""
        session = (self._known or {}).get(digest(cookie)) if cookie else None
        if session is None or not self._counts(session):
            return None
        return self._gate.holder(session.token)

    async def open(self, holder: Holder) -> str:
        """Sign a holder in; the cookie."""
        await self.load()
        cookie = new_token()
        session = StoredSession(digest(cookie), holder.digest, self._driver.clock())
        known = self._known or {}
        over = [one.digest for one in known.values() if not self._counts(one)]
        own = [one.digest for one in known.values() if one.token == holder.digest and one.digest not in over]
        closing = over + own[: max(0, len(own) - MOST_PER_TOKEN + 1)]
        await self._driver.stored(lambda store: store.tokens.open_session(session, closing=closing))
        self._known = {key: one for key, one in known.items() if key not in closing} | {
            session.digest: session
        }
        return cookie

    async def close(self, cookie: str | None) -> None:
        """Sign out: the cookie opens nothing any more, wherever it is."""
        await self.load()
        key = digest(cookie or "")
        if self._known is not None and self._known.pop(key, None) is not None:
            await self._driver.stored(lambda store: store.tokens.close_session(key))

    def _counts(self, session: StoredSession) -> bool:
        young = self._driver.clock() < session.opened_at + LIFETIME_SECONDS
        return young and self._gate.holder(session.token) is not None
