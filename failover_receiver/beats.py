"""What a stream of documents says while there is nothing new: that its sender lives, and how it stands."""

from collections.abc import Callable

from wgfleet.standing import HEADER, Standing

HEARTBEAT = b": heartbeat\n\n"
"""A comment, which every reader of server-sent events skips."""


class Beats:
    """Heartbeats. They tell of a standing from the moment that it was not live, and then for good: so also that it is again.

    Whoever watches learns of it by its own heartbeat, so a crowd that leaves does not leave in step.
    """

    def __init__(self, standing: Callable[[], Standing]) -> None:
        """Tell of this."""
        self._standing = standing
        self._told = False

    def __call__(self) -> bytes:
        """The next one."""
        standing = self._standing()
        self._told = self._told or not standing.live
        return standing.event() if self._told else HEARTBEAT


def header(standing: Standing) -> list[tuple[bytes, bytes]]:
    """The same of an answer that is no stream: what is to stand in its head."""
    return [] if standing.live else [(HEADER.encode(), standing.told())]
