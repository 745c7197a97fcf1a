"""A client's traffic through its tunnel, and what became of each packet."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from socket import inet_ntoa

from tests.lab.addresses import WORKER_BEHIND
from tests.lab.inside.probe import RECORD, SENT
from tests.lab.process import Process
from tests.lab.waiting import wait_until

UNDER_WAY_SECONDS = 0.3
"""A packet without a reply for so long is lost. In the lab a round trip takes a few ms, under load some tens."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A silence. Times are UNIX seconds, to be put beside any other log of this machine."""

    last_reply: float | None
    """The last before the silence; None if there was none ever."""
    first_reply: float | None
    """The first after it; None if it lasts."""
    seconds: float
    """From the last reply, or else the first packet, to the first reply; or if it lasts, to the last packet."""
    lost: int
    """Packets sent in between that were never answered."""
    via_before: str | None
    """The worker that carried the traffic before."""
    via_after: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """One packet's return."""

    at: float
    sequence: int
    via: str
    """The worker, or the bare address if it is none's."""


class Traffic:
    """The record of one probe, read as it grows. Made by `Client.traffic`."""

    def __init__(self, record: Path, process: Process | None = None) -> None:
        self.process = process
        self._record = record
        self._read = 0
        self.sent: list[float] = []
        """When each packet was sent, by its sequence number."""
        self.replies: list[Reply] = []
        """In the order of their arrival."""
        self._answered: set[int] = set()

    def refresh(self) -> "Traffic":
        """Read what is new. Every question does this itself."""
        with self._record.open("rb") as record:
            record.seek(self._read)
            fresh = record.read()
        whole = len(fresh) - len(fresh) % RECORD.size
        self._read += whole
        for kind, sequence, at, source in RECORD.iter_unpack(fresh[:whole]):
            if kind == SENT:
                self.sent.append(at)
            elif sequence not in self._answered:
                via = inet_ntoa(source)
                self.replies.append(Reply(at, sequence, WORKER_BEHIND.get(via, via)))
                self._answered.add(sequence)
        return self

    def via(self, at: float | None = None) -> str | None:
        """The worker that carried the last reply, or the last one until then; None if there was no reply."""
        self.refresh()
        until = len(self.replies) if at is None else bisect_right(self.replies, at, key=_at)
        return self.replies[until - 1].via if until else None

    def outage(self, since: float) -> Outage:
        """The longest silence that ended after `since`, or lasts.

        Ask after `wait_until_flowing`, or it may be one that lasts. Without a failure it is one beat of the probe.
        """
        self.refresh()
        first_after = bisect_right(self.replies, since, key=_at)
        around: list[Reply | None] = [*self.replies[max(first_after - 1, 0) :], None]
        if first_after == 0:
            around.insert(0, None)
        silences = [self._outage(before, after) for before, after in pairwise(around)]
        return max(silences, key=lambda silence: silence.seconds)

    def lost_between(self, begin: float, end: float) -> int:
        """How many packets sent from `begin` until `end` were lost.

        Waits until those under way have either come back or been away for too long.
        """
        settled = end + UNDER_WAY_SECONDS
        wait_until(
            lambda: self._sent_until() >= settled, UNDER_WAY_SECONDS + 5, "packets sent after the span"
        )
        return self._lost(bisect_left(self.sent, begin), bisect_left(self.sent, end))

    def wait_until_flowing(self, timeout: float = 10.0, *, via: str | None = None) -> float:
        """Wait until a packet sent from now on is answered (through this worker); returns when it was."""
        self.refresh()
        first = len(self.sent)

        def answered() -> Reply | None:
            replies = reversed(self.refresh().replies)
            fresh = (reply for reply in replies if reply.sequence >= first and via in (None, reply.via))
            return next(fresh, None)

        through = f" through {via}" if via else ""
        return wait_until(answered, timeout, f"a packet to come back{through}").at

    def wait_until_stopped(self, timeout: float = 10.0) -> float:
        """Wait until nothing has come back for a while; returns when the last reply came."""

        def silent() -> bool:
            last = self.refresh().replies[-1].at if self.replies else 0.0
            return self._sent_until() - last > UNDER_WAY_SECONDS

        wait_until(silent, timeout, "the traffic to stop")
        return self.replies[-1].at if self.replies else 0.0

    def stop(self) -> None:
        """End the probe; its record stays readable."""
        if self.process is not None:
            self.process.kill()

    def _sent_until(self) -> float:
        return self.refresh().sent[-1] if self.sent else 0.0

    def _lost(self, first: int, end: int) -> int:
        return sum(sequence not in self._answered for sequence in range(first, end))

    def _outage(self, before: Reply | None, after: Reply | None) -> Outage:
        first = before.sequence + 1 if before else 0
        end = after.sequence if after else len(self.sent)
        first_sent, last_sent = (self.sent[0], self.sent[-1]) if self.sent else (0.0, 0.0)
        began = before.at if before else first_sent
        ended = after.at if after else max(last_sent, began)
        return Outage(
            last_reply=before.at if before else None,
            first_reply=after.at if after else None,
            seconds=ended - began,
            lost=self._lost(first, end),
            via_before=before.via if before else None,
            via_after=after.via if after else None,
        )


def _at(reply: Reply) -> float:
    return reply.at
