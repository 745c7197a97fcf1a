"""Who has not done yet what an operator waits for. Pure: values in, values out."""

from collections.abc import Mapping
from dataclasses import dataclass

from failover_receiver.acks import ACK_LIFETIME, Ack


@dataclass(frozen=True, slots=True)
class Remaining:
    """What clients have said of a worker that is to be empty."""

    heard: int
    """Clients that were heard lately."""
    using: tuple[str, ...]
    """Those whose traffic it carries."""
    behind: tuple[str, ...]
    """Those that have not applied the peer set that tells them to leave, and use another worker, or say none."""
    connections: Mapping[str, int | None]
    """Those that have left it but for so many connections; None: they cannot count them."""
    sure_in: float
    """Seconds until every client must have been heard, if it is there: after a start the receiver knows of none."""


def remaining(
    acks: Mapping[str, Ack], worker: str, number: tuple[int, int], *, now: float, since: float
) -> Remaining:
    """Of the clients that were heard lately, those that keep a worker from being empty."""
    lately = {name: ack for name, ack in sorted(acks.items()) if now - ack.received_at <= ACK_LIFETIME}
    using = tuple(name for name, ack in lately.items() if ack.active == worker)
    behind = tuple(name for name, ack in lately.items() if ack.active != worker and ack.document < number)
    left = {
        name: ack.draining[worker]
        for name, ack in lately.items()
        if worker in ack.draining and ack.active != worker
    }
    return Remaining(len(lately), using, behind, left, max(0.0, since + ACK_LIFETIME - now))


def number_of_list(number: tuple[int, int]) -> dict[str, int]:
    """A document's number as programs read it."""
    return {"epoch": number[0], "generation": number[1]}
