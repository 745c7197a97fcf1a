"""Where a follower stands: how far from the receiver, and whether what it serves is what the receiver says now. Pure."""

import json
from dataclasses import dataclass

HOPS_MOST = 8
"""Followers of followers. More than any tree has; a ring of followers, which nobody feeds, would count on for ever."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a receiver or follower says of itself to those who follow it."""

    live: bool
    """It is the receiver, or hears of it at this moment."""
    hops: int = 0
    """So many stand between it and the receiver, itself counted; 0: it is the receiver."""

    def told(self) -> bytes:
        """As it goes on the wire."""
        return json.dumps({"live": self.live, "hops": self.hops}, separators=(",", ":")).encode()

    @classmethod
    def read(cls, said: bytes) -> "Standing":
        """Read what `told` made. Raises ValueError."""
        try:
            fields = json.loads(said)
            live, hops = bool(fields["live"]), int(fields["hops"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise ValueError("it told of its standing what cannot be read") from None
        if not 0 <= hops < HOPS_MOST:
            raise ValueError(
                f"it stands {hops} followers away from the receiver: at most {HOPS_MOST} were expected, "
                "do they follow each other in a ring?"
            )
        return cls(live, hops)


@dataclass(frozen=True, slots=True)
class Link:
    """A follower's own: who is followed, and since when that is so."""

    receiver: str | None = None
    """None: nobody, at present."""
    since: float = 0.0
    """UNIX time, seconds."""
    said: Standing | None = None
    """What the one that is followed says of itself."""

    def connected(self, receiver: str, *, now: float) -> "Link":
        """It lets us follow it."""
        return Link(receiver, now)

    def told(self, said: Standing) -> "Link":
        """It says how it stands."""
        return Link(self.receiver, self.since, said)

    def lost(self, *, now: float) -> "Link":
        """It is followed no more; of one that was lost before, since when stays."""
        return Link(None, now if self.receiver is not None or not self.since else self.since, self.said)

    @property
    def standing(self) -> Standing:
        """What those who follow us are told."""
        if self.said is None:
            return Standing(live=False, hops=1)
        return Standing(self.receiver is not None and self.said.live, self.said.hops + 1)
