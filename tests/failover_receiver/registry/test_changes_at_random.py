"""Whatever is done to the roll of clients: names, keys and addresses are never shared."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from failover_receiver.registry.changes import Draft
from failover_receiver.registry.clients import FREED_FOR, Client, Roll
from failover_receiver.registry.pools import Pool
from failover_receiver.state import RefusedError
from tests.failover_receiver.registry.drafts import NOON, draft, wish

COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(["put", "address", "network", "rekey", "revoke", "again"]),
        st.integers(0, 5),
        st.integers(0, 7),
        st.sampled_from([0.0, 600.0, FREED_FOR]),
    ),
    max_size=30,
)


def carry_out(changed: Draft, verb: str, client: int, number: int) -> None:
    """One command."""
    name = f"c{client}"
    if verb == "revoke":
        changed.revoke(name)
    elif verb == "address":
        changed.put(wish(name, client, f"10.99.0.{number}"))
    elif verb == "network":
        changed.put(wish(name, client, networks=(f"10.99.0.{number & ~3}/30",)))
    else:
        shift = 10 * number if verb == "rekey" else 0
        changed.put(wish(name, client + shift, new_key=verb == "rekey", again=verb == "again"))


@given(COMMANDS)
def test_names_keys_and_addresses_are_never_shared(commands: list[tuple[str, int, int, float]]) -> None:
    """After any commands, refused ones among them, in a small pool; and the indexes agree with the clients."""
    roll, now = Roll(), NOON
    for verb, client, number, seconds in commands:
        now += seconds
        changed = draft(roll, pools=(Pool("10.99.0.0/29"),), now=now)
        try:
            carry_out(changed, verb, client, number)
        except RefusedError:
            continue
        roll = changed.roll
    clients = roll.clients.values()
    held = [Pool(prefix).network for client in clients for prefix in client.allowed_ips]

    assert roll.by_key == {client.public_key: client.name for client in clients}
    assert not {"10.99.0.1/32", "10.99.0.2/32"} & set(held)
    assert overlaps(list(clients)) == []
    assert not roll.revocations.keys() & roll.by_key.keys()
    assert not roll.freed.keys() & {address for client in clients for address in client.addresses}
    assert Roll(clients).space._held == roll.space._held


def overlaps(clients: list[Client]) -> list[tuple[str, str]]:
    """Pairs of clients that claim the same address: each pair is compared."""
    networks = {
        client.name: [ipaddress.ip_network(prefix) for prefix in client.allowed_ips] for client in clients
    }
    return [
        (one, other)
        for one in networks
        for other in networks
        if one < other
        for a in networks[one]
        for b in networks[other]
        if a.overlaps(b)
    ]
