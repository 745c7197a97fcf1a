"""Where clients are, where they go when a worker fails, and when they come back: counted by the product's own functions.

What is counted of some clients adds up with what is counted of others, so that they can be shared out over processes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from client_sync.choice import Policy, Preference, preference
from client_sync.liveness import Liveness
from client_sync.state import Settings, State
from client_sync.wishing import granted_at, wishing
from tests.bench._deciding import decide
from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState

FAILED = 0
"""The worker that fails: the first."""
ASKED_EVERY = 250
"""Of so many clients one is decided by the daemon's whole core, too."""
TENTHS = 10
"""Of a second: what is counted by time is counted so finely."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Workers that differ in their weight alone."""

    weights: tuple[int, ...]

    @property
    def workers(self) -> tuple[PublishedWorker, ...]:
        """As the peer set has them, all of them well."""
        return tuple(worker(number, weight) for number, weight in enumerate(self.weights))

    @property
    def name(self) -> str:
        """For the table."""
        return f"{len(self.weights)}{'' if len(set(self.weights)) == 1 else ', of unequal weights'}"


@dataclass(slots=True)
class Placed:
    """What became of some clients in one fleet."""

    wished: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Clients by the worker that they use, and the one that they would use without it."""
    moved: int = 0
    """Clients of the worker that failed."""
    moved_others: int = 0
    """Clients of others that use another worker for it all the same."""
    returned: Counter[int] = field(default_factory=Counter)
    """Clients that go back to where they were, by the tenth of a second after the worker was well again."""
    strayed: int = 0
    """Clients that do not, or to another worker."""
    asked: int = 0
    """Clients that the daemon's whole core was asked about,"""
    contradicted: int = 0
    """and of whom it said otherwise."""

    def add(self, other: "Placed") -> None:
        """Count these, too."""
        self.wished += other.wished
        self.moved += other.moved
        self.moved_others += other.moved_others
        self.returned += other.returned
        self.strayed += other.strayed
        self.asked += other.asked
        self.contradicted += other.contradicted

    def max_over_mean(self, fleet: Fleet) -> float:
        """The fullest worker's clients by those that its weight stands for."""
        return fullest(self._without(None), fleet, None)

    def max_over_mean_after(self, fleet: Fleet) -> float:
        """Likewise of the survivors, whichever single worker fails: the worst of all these failures."""
        return max(fullest(self._without(failed), fleet, failed) for failed in range(len(fleet.weights)))

    def _without(self, failed: int | None) -> Counter[int]:
        loads: Counter[int] = Counter()
        for (first, second), clients in self.wished.items():
            loads[second if first == failed else first] += clients
        return loads


def worker(number: int, weight: int) -> PublishedWorker:
    """One that serves."""
    return PublishedWorker(
        name=f"w{number + 1}",
        public_key="",
        endpoints=(),
        tunnel_addresses=(),
        allowed_ips=(),
        state=WorkerState.SERVING,
        reason="up",
        weight=weight,
    )


def fullest(loads: Counter[int], fleet: Fleet, failed: int | None) -> float:
    """The largest load by what the worker's weight stands for."""
    weights = {number: weight for number, weight in enumerate(fleet.weights) if number != failed}
    share = loads.total() / sum(weights.values())
    return max(loads[number] / (share * weight) for number, weight in weights.items())


def place(names: Iterable[str], fleets: Sequence[Fleet], settings: Settings) -> list[Placed]:
    """Each of these clients in each of these fleets."""
    placed = [Placed() for _ in fleets]
    there = [fleet.workers for fleet in fleets]
    most = max(there, key=len)
    for number, client in enumerate(names):
        # What a worker is to a client does not depend on which others there are: hashed once for fleets alike.
        known = wishes(client, most)
        for fleet, some in zip(placed, there, strict=True):
            wanted = known[: len(some)] if some == most[: len(some)] else wishes(client, some)
            first, after = _count(fleet, client, some, wanted, settings)
            if number % ASKED_EVERY == 0:
                _ask(fleet, client, some, (first, after), settings)
    return placed


def wishes(client: str, workers: Iterable[PublishedWorker]) -> list[Preference]:
    """What the client's daemon orders these workers by."""
    return [preference(Policy.SPREAD, client, one) for one in workers]


def _count(
    placed: Placed,
    client: str,
    workers: tuple[PublishedWorker, ...],
    wanted: list[Preference],
    settings: Settings,
) -> tuple[int, int]:
    """Count this one; the worker that it uses, and the one that it uses without the one that fails."""
    ordered = dict(enumerate(wanted))
    first = best(ordered)
    after = best({number: one for number, one in ordered.items() if number != FAILED})
    del ordered[first]
    placed.wished[first, best(ordered)] += 1
    if first != FAILED:
        placed.moved_others += after != first
        return first, after
    placed.moved += 1
    at = goes_back(client, workers, workers[after].name, workers[first].name, settings)
    if at is None:
        placed.strayed += 1
    else:
        placed.returned[int(TENTHS * at)] += 1
    return first, after


def _ask(
    placed: Placed,
    client: str,
    workers: tuple[PublishedWorker, ...],
    expected: tuple[int, int],
    settings: Settings,
) -> None:
    first, after = (workers[number].name for number in expected)
    said = decide(client, workers, FAILED, settings)
    placed.asked += 1
    placed.contradicted += (said.first, said.during, said.after) != (first, after, first)


def best(wanted: dict[int, Preference]) -> int:
    """The number of the worker that is wanted most."""
    return min(wanted.items(), key=itemgetter(1))[0]


def goes_back(
    client: str, workers: tuple[PublishedWorker, ...], active: str, home: str, settings: Settings
) -> float | None:
    """Seconds after all are well again until the client goes back home; None: it does not, or elsewhere."""
    peer_set = PeerSet("bench", 1, 1, 0.0, 0.0, Monitoring.LIVE, workers)
    well = {one.name: Liveness(answered_at=0.0) for one in workers}
    state = State(peer_set, active=active, home=home, liveness=well)
    own = replace(settings, client=client)
    wish = wishing(state, 0.0, own).wish
    return None if wish is None or wish.worker != home else granted_at(wish, own)


def worst_second(tenths: Counter[int]) -> int:
    """The most that came within any second."""
    return max((sum(tenths[at + later] for later in range(TENTHS)) for at in [*tenths]), default=0)


def last_second(tenths: Counter[int]) -> float:
    """When the last one had come."""
    return (max(tenths, default=-1) + 1) / TENTHS
