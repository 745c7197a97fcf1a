"""Tests of exporter/peers.py: the lines of single peers."""

import dataclasses

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter import metrics
from exporter.metrics import Family
from exporter.peers import Peers, Roams, Shown, limited
from wgfleet.dump import NEVER, NONE, OFF, Table

A, B, C = b"AAAA+/8=", b"BBBB+/8=", b"CCCC+/8="
TABLE = Table(
    "wg0",
    "own",
    51820,
    None,
    public_keys=(C, A, B),
    endpoints=(b"192.0.2.3:1", b"[2001:db8::1]:1", NONE),
    allowed_ips=(b"10.0.0.3/32,fd00::3/128", b"10.0.0.1/32", NONE),
    handshakes=(b"300", b"100", NEVER),
    rx_bytes=(b"3", b"1", b"0"),
    tx_bytes=(b"30", b"10", b"0"),
    keepalives=(OFF, b"25", OFF),
)
EVERYTHING = Shown(endpoints=True, allowed_ips=True, compatible=True)
NAMES = {A: "ann", C: 'a "c" \\'}


def lines(
    table: Table = TABLE,
    shown: Shown = EVERYTHING,
    names: dict[bytes, str] | None = None,
    peers: Peers | None = None,
) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The lines by metric, as Prometheus's parser reads them, without the interface's label."""
    found = {}
    for family, text in (peers or Peers(shown)).lines(table, names or {}):
        whole = f"# TYPE {family.name} gauge\n{text.decode()}"
        (parsed,) = text_string_to_metric_families(whole)
        assert {sample.name for sample in parsed.samples} <= {family.name}
        assert all(sample.labels.pop("interface") == "wg0" for sample in parsed.samples)
        found[family.name] = [(sample.labels, sample.value) for sample in parsed.samples]
    return found


def by_key(family: Family, **given: object) -> dict[bytes, float]:
    """A metric that has the peer's labels alone, by public key."""
    assert family.labels == metrics.PEER
    return {labels["public_key"].encode(): value for labels, value in lines(**given)[family.name]}  # type: ignore[arg-type] # Passed on.


def test_counters_are_each_peers_own() -> None:
    """Also of one that was never seen: it has received nothing."""
    assert by_key(metrics.PEER_RECEIVE_BYTES) == {C: 3, A: 1, B: 0}
    assert by_key(metrics.PEER_TRANSMIT_BYTES) == {C: 30, A: 10, B: 0}


def test_a_peer_that_was_never_seen_has_no_handshake() -> None:
    """A 0 would be 1970, or just now."""
    assert by_key(metrics.PEER_LAST_HANDSHAKE) == {C: 300, A: 100}


def test_a_keepalive_that_is_off_has_no_interval() -> None:
    """0 s would be all the time."""
    assert by_key(metrics.PEER_KEEPALIVE) == {A: 25}


def test_names_stand_on_a_metric_of_their_own() -> None:
    """Whatever characters they have; a peer without a name is not on it, and other series do not change."""
    assert lines(names=NAMES)[metrics.PEER_INFO.name] == [
        ({"public_key": C.decode(), "name": 'a "c" \\'}, 1),
        ({"public_key": A.decode(), "name": "ann"}, 1),
    ]
    assert metrics.PEER_INFO.name not in lines()


def test_endpoints_and_allowed_ips_are_shown_where_asked_for() -> None:
    """As labels of metrics that are their own; each network on its own line."""
    shown = lines()

    assert shown[metrics.PEER_ENDPOINT_INFO.name] == [
        ({"public_key": C.decode(), "endpoint": "192.0.2.3:1"}, 1),
        ({"public_key": A.decode(), "endpoint": "[2001:db8::1]:1"}, 1),
    ]
    assert shown[metrics.PEER_ALLOWED_IPS_INFO.name] == [
        ({"public_key": C.decode(), "allowed_ips": "10.0.0.3/32"}, 1),
        ({"public_key": C.decode(), "allowed_ips": "fd00::3/128"}, 1),
        ({"public_key": A.decode(), "allowed_ips": "10.0.0.1/32"}, 1),
    ]


def test_by_default_no_series_has_what_moves_in_a_failover() -> None:
    """A thousand roams and moves of allowed IPs begin no series."""
    moved = dataclasses.replace(
        TABLE, endpoints=(b"192.0.2.9:9",) * 3, allowed_ips=(b"0.0.0.0/0", NONE, NONE)
    )

    before, after = lines(shown=Shown()), lines(moved, shown=Shown())

    assert {name: [labels for labels, _ in found] for name, found in before.items()} == {
        name: [labels for labels, _ in found] for name, found in after.items()
    }


def test_the_other_exporters_metrics_are_as_it_writes_them() -> None:
    """With its labels, its 0 for never, and its name for a name."""
    shown = lines(names={A: "ann"})

    assert shown["wireguard_sent_bytes_total"][1] == (
        {"public_key": A.decode(), "allowed_ips": "10.0.0.1/32", "friendly_name": "ann"},
        10,
    )
    assert shown["wireguard_received_bytes_total"][0] == (
        {"public_key": C.decode(), "allowed_ips": "10.0.0.3/32,fd00::3/128"},
        3,
    )
    assert shown["wireguard_latest_handshake_seconds"][2] == (
        {"public_key": B.decode(), "allowed_ips": ""},
        0,
    )


@pytest.mark.parametrize(("most", "keys"), [(0, ()), (1, (A,)), (2, (A, B)), (3, (C, A, B)), (9, (C, A, B))])
def test_the_same_peers_are_shown_at_each_scrape(most: int, keys: tuple[bytes, ...]) -> None:
    """Those with the smallest keys, wherever they stand in the dump, with all that is theirs."""
    few = limited(TABLE, most)

    assert sorted(few.public_keys) == sorted(keys)
    assert {key: value for key, value in by_key(metrics.PEER_RECEIVE_BYTES).items() if key in keys} == by_key(
        metrics.PEER_RECEIVE_BYTES, table=few
    )


def at(*endpoints: bytes) -> Table:
    """The same peers, elsewhere."""
    return dataclasses.replace(TABLE, endpoints=endpoints)


def test_a_roam_is_counted_and_the_first_endpoint_is_none() -> None:
    """Nor is it one to be lost, and found again."""
    roams = Roams()
    places = (NONE, b"192.0.2.1:1", b"192.0.2.1:1", b"192.0.2.1:2", NONE, b"192.0.2.1:1")

    assert [roams.see(at(place, b"192.0.2.2:1", NONE)) for place in places] == [
        [b"0", b"0", b"0"],
        [b"0", b"0", b"0"],
        [b"0", b"0", b"0"],
        [b"1", b"0", b"0"],
        [b"1", b"0", b"0"],
        [b"1", b"0", b"0"],
    ]


def test_a_peer_that_comes_back_counts_anew() -> None:
    """What is gone is forgotten, or a fleet that changes would fill the memory."""
    roams = Roams()
    roams.see(at(b"192.0.2.1:1", NONE, NONE))
    assert roams.see(at(b"192.0.2.1:2", NONE, NONE)) == [b"1", b"0", b"0"]
    assert roams.see(Table("wg0", "own", 51820, None)) == []

    assert roams.see(at(b"192.0.2.1:3", NONE, NONE)) == [b"0", b"0", b"0"]


def test_the_next_page_has_the_next_values_and_the_next_peers() -> None:
    """What is kept from one page for the next is only what is the same."""
    peers = Peers(Shown())
    tables = [
        TABLE,
        dataclasses.replace(TABLE, rx_bytes=(b"4", b"1", b"0"), handshakes=(b"300", b"100", b"7")),
        dataclasses.replace(
            TABLE, public_keys=(B, C, A), endpoints=(NONE, b"192.0.2.3:1", b"[2001:db8::1]:1")
        ),
        Table("wg0", "own", 51820, None),
    ]

    assert [lines(table, peers=peers) for table in tables] == [
        lines(table, shown=Shown()) for table in tables
    ]
