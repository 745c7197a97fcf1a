"""What the daemon knows, what may happen to it, and what it is asked to do: values only. core.py decides with them.

Times are seconds of the driver's clock, which does not jump.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from client_sync.choice import Policy
from client_sync.liveness import FEWEST_MISSES, Liveness
from wgfleet.peerset import PeerSet, PublishedWorker


class Reason(StrEnum):
    """Why the active worker changed: the same word in the log, the status and the ack."""

    FIRST = "first"
    """There was none."""
    PUBLISHED = "published"
    """The peer set prefers another, and that one answers."""
    SILENT = "silent"
    """The own probe found the present one silent."""
    BANNED = "banned"
    """The present one must not be used any more."""
    FAILBACK = "failback"
    """The one that is wished for, by the policy or because it was left in trouble, has been well for long enough."""
    NOTHING_ANSWERS = "nothing_answers"
    """No worker answers: the one most likely to come back."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the choice depends on. Seconds where nothing else is said."""

    client: str
    policy: Policy = Policy.SPREAD
    is_vantage: bool = False
    """A vantage: every worker is a standby, for good, and none ever carries traffic."""
    local_failover: bool = True
    """Own probes alone take the client away from a worker; else only from one that the peer set doubts, too."""
    active_interval: float = 1.0
    """Between probes of the present worker."""
    standby_interval: float = 5.0
    """Between probes of a standby."""
    burst_interval: float = 0.06
    """Between probes of the present worker in doubt; their answers are not waited for in between."""
    urgent_interval: float = 0.2
    """Between probes of the others meanwhile, and of one that should take over."""
    doubt_interval: float = 1.0
    """At most, between probes of a standby that has not answered them, while the present worker is in doubt or to be left."""
    silent_after: int = FEWEST_MISSES
    """The present worker is silent after this many misses in a row, or more where its path is known to lose some."""
    recreate_after: int = 2
    """A standby's session is made anew after this many."""
    answer_lifetime: float = 1.0
    """A move needs an answer no older than this."""
    recreate_most: float = 30.0
    """At most, between two attempts to make a silent standby's session anew."""
    lost_after: float = 15.0
    """The last worker is looked for at its other endpoints once it has not answered for so long."""
    redirect_interval: float = 6.0
    """Between two of these: WireGuard tries each by two handshakes."""
    failback_after: float = 30.0
    """A worker that is wished for must have been well for so long,"""
    failback_spread: float = 300.0
    """and up to so much longer, so that not all clients come back at once."""
    latency_margin: float = 0.01
    """By policy latency: another must be quicker by so much, and by a fifth of the present one's round trip."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The worker that would be rather used, though the present one is well."""

    worker: str
    since: float


@dataclass(frozen=True, slots=True)
class State:
    """What the daemon knows."""

    peer_set: PeerSet | None = None
    active: str | None = None
    """The worker that holds the routed prefixes."""
    reason: Reason | None = None
    """Why it is the active one; None if it was when the daemon started."""
    kept: PublishedWorker | None = None
    """The active worker, if the peer set has it no more: it goes when another has answered."""
    liveness: Mapping[str, Liveness] = field(default_factory=dict)
    doubted_at: float | None = None
    """When traffic went out and none came in, and the present worker has answered no probe since."""
    groundless: int = 0
    """Such doubts in a row that a probe dispelled: one-way traffic."""
    home: str | None = None
    """The worker that was left in trouble first: where the client came from."""
    wish: Wish | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A document that is signed, newer, and ours."""

    peer_set: PeerSet


@dataclass(frozen=True, slots=True)
class Held:
    """The device was read: this worker holds the routed prefixes."""

    worker: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A probe came back, however late."""

    worker: str
    asked_at: float
    """As the probe said it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The interface's counters were looked at: not counting probes, packets went out since, and came in."""

    sent: bool
    received: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has come."""


Event = Received | Held | Answered | Counted | Tick


@dataclass(frozen=True, slots=True)
class Configure:
    """Give the device the peers it should have, with this worker active."""

    active: str | None
    reason: Reason | None
    """Why the active worker changed; None if it did not."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Send one echo through this worker's tunnel, and report its answer."""

    worker: str
    asked_at: float
    """Tells its answer from one of a worker of the same name that was replaced meanwhile."""


@dataclass(frozen=True, slots=True)
class Recreate:
    """Make this standby's session anew: its peer is removed and added again, at its next endpoint."""

    worker: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Look for the active worker at its next endpoint. Nothing is taken from its peer."""

    worker: str


Effect = Configure | Probe | Recreate | Redirect


def workers(state: State) -> dict[str, PublishedWorker]:
    """All workers that the device should have, by name; banned ones too, so that they can be barred."""
    listed = {} if state.peer_set is None else {worker.name: worker for worker in state.peer_set.workers}
    return listed if state.kept is None else {**listed, state.kept.name: state.kept}


def liveness_of(state: State, name: str) -> Liveness:
    """What is known of this worker's path."""
    return state.liveness.get(name, Liveness())


def with_liveness(state: State, name: str, liveness: Liveness) -> State:
    """With that known of this worker's path."""
    return replace(state, liveness={**state.liveness, name: liveness})
