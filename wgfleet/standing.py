"""How whoever gives documents out says that they may be old: to followers, to clients and to workers alike. Pure."""

import json
from dataclasses import dataclass

EVENT = b"standing"
"""Its name in a stream of server-sent events. Who does not know it leaves it out, as any name that it does not know."""
HEADER = "wgfleet-standing"
"""Of an answer that is no stream; only one that is not live has it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a receiver or follower says of itself to those who follow it."""

    live: bool
    """It is the receiver, or hears of it at this moment. One of several receivers that does not know what the others do is not."""
    hops: int = 0
    """So many stand between it and the receiver, itself counted; 0: it is the receiver."""

    def told(self) -> bytes:
        """As it goes on the wire."""
        return json.dumps({"live": self.live, "hops": self.hops}, separators=(",", ":")).encode()

    def event(self) -> bytes:
        """The same, as a server-sent event."""
        return b"event: %s\ndata: %s\n\n" % (EVENT, self.told())

    @classmethod
    def read(cls, said: bytes) -> "Standing":
        """Read what `told` made. Raises ValueError."""
        try:
            fields = json.loads(said)
            return cls(bool(fields["live"]), int(fields["hops"]))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise ValueError("it told of its standing what cannot be read") from None


LIVE = Standing(live=True)
"""Also that of whoever says nothing of it: it is older than this word, or was never anything else."""


def is_to_be_left(said: Standing | None) -> bool:
    """Whether whoever hears this goes on to another, if there is one: what is given out here may be old, and stay so."""
    return said is not None and not said.live
