"""A roll of clients to change, and the workers and tokens beside it."""

from failover_receiver.registry.changes import Draft
from failover_receiver.registry.clients import Others, Roll, Wish
from failover_receiver.registry.pools import Pool
from tests.failover_receiver.story import spec

NOON = 1_795_000_000.0
POOLS = (Pool("10.99.0.0/16"), Pool("fd99::/64"))
WORKERS = {"fra1": spec(1), "ams1": spec(2)}
"""They have 10.99.0.1 and 10.99.0.2."""
OTHERS = Others(WORKERS, {"operator": "operator", "ann": "client"})
NOBODY = Others({}, {})


def key(number: int) -> str:
    """A client's key; the workers' have lower numbers."""
    return f"{100 + number:042d}A="


def wish(name: str, number: int, *addresses: str, **said: object) -> Wish:
    """A client with a key of that number; without addresses, the pools give them."""
    return Wish(name, key(number), addresses or None, **said)  # type: ignore[arg-type] # Any field, by its name.


def draft(
    roll: Roll | None = None,
    *,
    others: Others = OTHERS,
    pools: tuple[Pool, ...] = POOLS,
    shared: tuple[Pool, ...] = (),
    now: float = NOON,
) -> Draft:
    """A change of that roll."""
    return Draft(roll or Roll(), others, pools, shared, now=now, number=(1, 2))


def rolled(*wishes: Wish) -> Roll:
    """A roll with these clients."""
    changed = draft()
    for one in wishes:
        changed.put(one)
    return changed.roll
