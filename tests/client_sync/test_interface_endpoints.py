"""Tests of client_sync/interface.py: where workers are, and sessions that are made anew."""

from pathlib import Path

from client_sync.cache import ManagedPeers
from tests.client_sync.device import FakeDevice, interface, named, peer
from tests.client_sync.samples import public_key, worker
from wgfleet.diff import Kind, PeerChange

STRANGER = public_key(999)
HERE, THERE = "192.0.2.1:51820", "198.51.100.1:51820"
TWO = named(worker(1), worker(2))


def endpoint_of(fake: FakeDevice, number: int = 1) -> str | None:
    """Where the device sends to this worker."""
    return fake.peer(public_key(number)).endpoint


def test_a_name_is_resolved_before_wg_sees_it() -> None:
    """`wg` would look it up itself, for a minute or more."""
    asked = []

    def resolve(host: str, port: int) -> tuple[str, ...]:
        asked.append((host, port))
        return ("192.0.2.77",)

    fake = FakeDevice()
    interface(fake, resolve=resolve).configure(named(worker(1, endpoints=("fra1.example.com:51821",))), None)

    assert asked == [("fra1.example.com", 51821)]
    assert endpoint_of(fake) == "192.0.2.77:51821"


def test_an_address_of_six_stands_in_brackets() -> None:
    """From a name, and from the document."""
    fake = FakeDevice()
    workers = named(
        worker(1, endpoints=("fra1.example.com:51820",)), worker(2, endpoints=("[2001:db8::2]:51820",))
    )

    interface(
        fake, resolve=lambda host, _port: ("2001:db8::1" if host == "fra1.example.com" else host,)
    ).configure(workers, None)

    assert endpoint_of(fake, 1) == "[2001:db8::1]:51820"
    assert endpoint_of(fake, 2) == "[2001:db8::2]:51820"


def test_a_name_that_does_not_resolve_leaves_the_endpoint_as_it_is() -> None:
    """The peer of a former run goes on where it was."""
    fake = FakeDevice()
    fake.add(peer(public_key(1), endpoint=THERE))

    interface(fake, resolve=lambda _host, _port: ()).configure(
        named(worker(1, endpoints=("fra1.example.com:51820",))), "w1"
    )

    assert endpoint_of(fake) == THERE


def test_a_worker_without_endpoints_is_left_where_it_is() -> None:
    """It is one that calls us."""
    fake = FakeDevice()
    fake.add(peer(public_key(1), endpoint=THERE))
    wg0 = interface(fake)

    wg0.configure(named(worker(1, endpoints=())), "w1")
    wg0.recreate(worker(1, endpoints=()))

    assert endpoint_of(fake) == THERE


def test_a_new_endpoint_in_the_document_is_set() -> None:
    """What the device has is none of the worker's own any more."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")

    wg0.configure(named(worker(1, endpoints=(THERE,)), worker(2)), "w1")

    assert endpoint_of(fake) == THERE


# Sessions made anew.


def test_a_session_is_made_anew_in_one_call() -> None:
    """The peer is removed and added again with what a standby has; nobody else is named."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    fake.calls.clear()

    wg0.recreate(TWO["w2"])

    assert fake.calls == [
        (
            PeerChange(Kind.REMOVE, public_key(2)),
            PeerChange(Kind.ADD, public_key(2), "192.0.2.2:51820", ("10.99.0.2/32",), 25),
        )
    ]


def test_each_attempt_takes_the_next_endpoint_and_then_the_first_again() -> None:
    """A worker whose first address is unreachable from here is found at its second."""
    fake = FakeDevice()
    wg0 = interface(fake)
    two_ways = worker(1, endpoints=(HERE, THERE))
    wg0.configure(named(two_ways), None)
    seen = [endpoint_of(fake)]

    for _ in range(3):
        wg0.recreate(two_ways)
        seen.append(endpoint_of(fake))

    assert seen == [HERE, THERE, HERE, THERE]


def test_an_endpoint_that_an_attempt_has_found_is_kept() -> None:
    """The next document does not lead back to the first one."""
    fake = FakeDevice()
    wg0 = interface(fake)
    two_ways = worker(1, endpoints=(HERE, THERE))
    wg0.configure(named(two_ways), None)
    wg0.recreate(two_ways)

    wg0.configure(named(two_ways), "w1")

    assert endpoint_of(fake) == THERE


def test_an_endpoint_that_an_earlier_run_has_found_is_kept() -> None:
    """It is one of the worker's own, though not the first."""
    fake = FakeDevice()
    fake.add(peer(public_key(1), endpoint=THERE))

    interface(fake).configure(named(worker(1, endpoints=(HERE, THERE))), "w1")

    assert endpoint_of(fake) == THERE


def test_the_attempts_of_one_worker_are_not_anothers() -> None:
    """Each goes through its own endpoints."""
    fake = FakeDevice()
    wg0 = interface(fake)
    workers = named(worker(1), worker(2, endpoints=(HERE, THERE)))
    wg0.recreate(workers["w1"])

    wg0.configure(workers, None)

    assert endpoint_of(fake, 2) == HERE


def test_a_session_that_is_made_anew_keeps_its_endpoint_if_the_name_does_not_resolve() -> None:
    """Name servers may be behind the worker that is dead: a peer without an endpoint would be lost for good."""
    fake = FakeDevice()
    known = {"fra1.example.com": ["192.0.2.1"]}
    wg0 = interface(fake, resolve=lambda host, _port: known.get(host, []))
    named_worker = worker(1, endpoints=("fra1.example.com:51820",))
    wg0.configure(named(named_worker), None)
    known.clear()

    wg0.recreate(named_worker)

    assert endpoint_of(fake) == HERE


def test_a_peer_that_others_added_is_never_removed_to_be_made_anew() -> None:
    """It may have a preshared key, which would be lost; it is only sent to its worker's next endpoint."""
    fake = FakeDevice()
    fake.add(peer(public_key(1), "10.99.0.1/32", endpoint=HERE))
    wg0 = interface(fake)

    wg0.recreate(worker(1, endpoints=(HERE, THERE)))

    assert fake.calls == [(PeerChange(Kind.UPDATE, public_key(1), THERE),)]


def test_a_peer_that_vanished_is_added_again_and_is_ours(tmp_path: Path) -> None:
    """Somebody took it away by hand; what we add, we may remove."""
    fake = FakeDevice()
    managed = ManagedPeers(tmp_path)

    interface(fake, managed).recreate(worker(1))

    assert fake.calls == [(PeerChange(Kind.ADD, public_key(1), HERE, ("10.99.0.1/32",), 25),)]
    assert ManagedPeers(tmp_path).keys == {public_key(1)}


def test_each_address_of_a_name_is_tried() -> None:
    """A laptop has left the network with IPv6, say; and one that works is left as it is."""
    fake = FakeDevice()
    wg0 = interface(fake, resolve=lambda _host, _port: ("2001:db8::1", "192.0.2.1"))
    named_worker = worker(1, endpoints=("fra1.example.com:51820",))
    wg0.configure(named(named_worker), None)
    assert endpoint_of(fake) == "[2001:db8::1]:51820"

    wg0.recreate(named_worker)
    assert endpoint_of(fake) == HERE

    wg0.configure(named(named_worker), "w1")
    assert endpoint_of(fake) == HERE


def test_the_active_worker_is_looked_for_at_its_next_endpoint() -> None:
    """What it carries stays with it all the while."""
    fake = FakeDevice()
    wg0 = interface(fake)
    workers = named(worker(1, endpoints=(HERE, THERE)))
    wg0.configure(workers, "w1")
    before = len(fake.calls)

    wg0.redirect(workers["w1"])

    assert fake.calls[before:] == [(PeerChange(Kind.UPDATE, public_key(1), THERE),)]


def test_a_worker_with_one_endpoint_is_left_there() -> None:
    """Nothing is set."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    before = len(fake.calls)

    wg0.redirect(TWO["w1"])

    assert fake.calls[before:] == []
