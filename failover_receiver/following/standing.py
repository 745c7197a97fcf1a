"""Where a follower stands: how far from the receiver, and whether what it serves is what the receiver says now. Pure."""

from dataclasses import dataclass

from wgfleet.standing import Standing

HOPS_MOST = 8
"""Followers of followers. More than any tree has; a ring of followers, which nobody feeds, would count on for ever."""


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
        """It says how it stands. Raises ValueError if that is too far away."""
        if not 0 <= said.hops < HOPS_MOST:
            raise ValueError(
                f"it stands {said.hops} followers away from the receiver: at most {HOPS_MOST} were expected, "
                "do they follow each other in a ring?"
            )
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
