"""Tests of failover_receiver/publishing/dns/records.py: what a name should have."""

from failover_receiver.publishing.dns.records import addresses, among, hosts, of_family, wanted
from tests.client_sync.samples import peer_set, worker
from wgfleet.peerset import WorkerState

NAMED = worker(1, endpoints=("b.example.net:51820", "[2001:DB8::1]:51820", "a.example.net:51820"))
KNOWN = {"a.example.net": frozenset({"192.0.2.7"})}


def test_hosts_are_the_names_in_endpoints() -> None:
    """Each once, in order."""
    assert hosts([NAMED, NAMED, worker(2)]) == ["b.example.net", "a.example.net"]


def test_a_name_that_has_no_address_gives_none() -> None:
    """The others count."""
    assert addresses(NAMED, KNOWN) == {"2001:db8::1", "192.0.2.7"}


def test_without_names_of_workers_all_count() -> None:
    """With them, those alone."""
    both = peer_set(worker(1), worker(2))

    assert among(both, ()) == both
    assert [one.name for one in among(both, ("w2", "w9")).workers] == ["w2"]


def test_who_attracted_is_told_by_what_the_name_has() -> None:
    """Nothing is remembered beside it."""
    drained = peer_set(worker(1, WorkerState.DRAINING), worker(2, WorkerState.DOWN))

    assert wanted(drained, frozenset({"192.0.2.2", "198.51.100.1"}), {}) == frozenset({"192.0.2.2"})
    assert wanted(drained, frozenset({"198.51.100.1"}), {}) is None


def test_a_worker_without_any_address_leaves_the_name_as_it_is() -> None:
    """Rather than empty."""
    assert wanted(peer_set(worker(1, endpoints=("b.example.net:1",))), frozenset(), {}) is None


def test_addresses_are_of_one_family() -> None:
    """In order."""
    both = frozenset({"192.0.2.2", "2001:db8::1", "192.0.2.1"})

    assert (of_family(both, 4), of_family(both, 6)) == (["192.0.2.1", "192.0.2.2"], ["2001:db8::1"])
