"""Tests of exporter/peers.py: the lines of single peers."""

import dataclasses

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter import metrics
from exporter.metrics import Family
from exporter.peers import Roams, Shown, limited, of_peers
from wgfleet.dump import Table

A, B, C = "AAAA+/8=", "BBBB+/8=", "CCCC+/8="
TABLE = Table(
    "wg0",
    "own",
    51820,
    None,
    public_keys=(C, A, B),
    endpoints=("192.0.2.3:1", "[2001:db8::1]:1", "(none)"),
    allowed_ips=("10.0.0.3/32,fd00::3/128", "10.0.0.1/32", "(none)"),
    handshakes=(300, 100, 0),
    rx_bytes=(3, 1, 0),
    tx_bytes=(30, 10, 0),
    keepalives=("off", "25", "off"),
)
EVERYTHING = Shown(endpoints=True, allowed_ips=True, compatible=True)
NAMES = {A: "ann", C: 'a "c" \\'}


def lines(
    table: Table = TABLE,
    shown: Shown = EVERYTHING,
    names: dict[str, str] | None = None,
    roams: Roams | None = None,
) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The lines by metric, as Prometheus's parser reads them, without the interface's label."""
    found = {}
    for family, text in of_peers(table, shown, names or {}, roams or Roams()):
        whole = f"# TYPE {family.name} gauge\n{text}"
        (parsed,) = text_string_to_metric_families(whole)
        assert {sample.name for sample in parsed.samples} <= {family.name}
        assert all(sample.labels.pop("interface") == "wg0" for sample in parsed.samples)
        found[family.name] = [(sample.labels, sample.value) for sample in parsed.samples]
    return found


def by_key(family: Family, **given: object) -> dict[str, float]:
    """A metric that has the peer's labels alone, by public key."""
    assert family.labels == metrics.PEER
    return {labels["public_key"]: value for labels, value in lines(**given)[family.name]}  # type: ignore[arg-type] # Passed on.


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
        ({"public_key": C, "name": 'a "c" \\'}, 1),
        ({"public_key": A, "name": "ann"}, 1),
    ]
    assert metrics.PEER_INFO.name not in lines()


def test_endpoints_and_allowed_ips_are_shown_where_asked_for() -> None:
    """As labels of metrics that are their own; each network on its own line."""
    shown = lines()

    assert shown[metrics.PEER_ENDPOINT_INFO.name] == [
        ({"public_key": C, "endpoint": "192.0.2.3:1"}, 1),
        ({"public_key": A, "endpoint": "[2001:db8::1]:1"}, 1),
    ]
    assert shown[metrics.PEER_ALLOWED_IPS_INFO.name] == [
        ({"public_key": C, "allowed_ips": "10.0.0.3/32"}, 1),
        ({"public_key": C, "allowed_ips": "fd00::3/128"}, 1),
        ({"public_key": A, "allowed_ips": "10.0.0.1/32"}, 1),
    ]


def test_by_default_no_series_has_what_moves_in_a_failover() -> None:
    """A thousand roams and moves of allowed IPs begin no series."""
    moved = dataclasses.replace(
        TABLE, endpoints=("192.0.2.9:9",) * 3, allowed_ips=("0.0.0.0/0", "(none)", "(none)")
    )

    before, after = lines(shown=Shown()), lines(moved, shown=Shown())

    assert {name: [labels for labels, _ in found] for name, found in before.items()} == {
        name: [labels for labels, _ in found] for name, found in after.items()
    }


def test_the_other_exporters_metrics_are_as_it_writes_them() -> None:
    """With its labels, its 0 for never, and its name for a name."""
    shown = lines(names={A: "ann"})

    assert shown["wireguard_sent_bytes_total"][1] == (
        {"public_key": A, "allowed_ips": "10.0.0.1/32", "friendly_name": "ann"},
        10,
    )
    assert shown["wireguard_received_bytes_total"][0] == (
        {"public_key": C, "allowed_ips": "10.0.0.3/32,fd00::3/128"},
        3,
    )
    assert shown["wireguard_latest_handshake_seconds"][2] == ({"public_key": B, "allowed_ips": ""}, 0)


@pytest.mark.parametrize(("most", "keys"), [(0, ()), (1, (A,)), (2, (A, B)), (3, (C, A, B)), (9, (C, A, B))])
def test_the_same_peers_are_shown_at_each_scrape(most: int, keys: tuple[str, ...]) -> None:
    """Those with the smallest keys, wherever they stand in the dump, with all that is theirs."""
    few = limited(TABLE, most)

    assert sorted(few.public_keys) == sorted(keys)
    assert {key: value for key, value in by_key(metrics.PEER_RECEIVE_BYTES).items() if key in keys} == by_key(
        metrics.PEER_RECEIVE_BYTES, table=few
    )


def test_a_roam_is_counted_and_the_first_endpoint_is_none() -> None:
    """Nor is it one to be lost, and found again."""
    roams = Roams()
    for endpoint in ("(none)", "192.0.2.1:1", "192.0.2.1:1", "192.0.2.1:2", "(none)", "192.0.2.1:1"):
        roams.see(dataclasses.replace(TABLE, endpoints=(endpoint, "192.0.2.2:1", "(none)")))

    assert by_key(metrics.PEER_ENDPOINT_CHANGES, roams=roams) == {C: 1, A: 0, B: 0}


def test_a_peer_that_comes_back_counts_anew() -> None:
    """What is gone is forgotten, or a fleet that changes would fill the memory."""
    roams = Roams()
    for port in (1, 2):
        roams.see(dataclasses.replace(TABLE, endpoints=(f"192.0.2.1:{port}", "(none)", "(none)")))
    assert roams.counts[C] == 1
    roams.see(Table("wg0", "own", 51820, None))
    roams.see(TABLE)

    assert roams.counts.get(C, 0) == 0
