"""Tests of wgfleet/peerset.py."""

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfleet.fields import DocumentError
from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState

KEY = "yH2oSLVpkEo9q4qfKXqTTnFVZ6Duzm62P+GZGDyGPTo="
OTHER_KEY = "LJtEuwyodB3AMdslRzoUXyxugf/Y9tKwGMZuIiKU8xA="

WORKER: dict[str, Any] = {
    "name": "fra1",
    "public_key": KEY,
    "endpoints": ["192.0.2.1:51820", "[2001:db8::1]:51820", "fra1.example.com:51820"],
    "tunnel_addresses": ["10.90.0.1", "fd90::1"],
    "allowed_ips": ["0.0.0.0/0", "::/0"],
    "state": "serving",
    "reason": "admitted",
    "keepalive": 10,
    "mtu": 1400,
    "dns": ["10.90.0.53"],
    "weight": 50,
    "priority": 2,
    "region": "eu",
    "monitored": False,
}
DOCUMENT: dict[str, Any] = {
    "type": "wgfleet/peer-set",
    "format": 1,
    "fleet": "acme",
    "epoch": 2,
    "generation": 7,
    "issued_at": 1795362620.5,
    "fresh_until": 1795362680.5,
    "monitoring": "live",
    "workers": [WORKER],
}
"""As it is on the wire. What it says is said again by PEER_SET."""

PEER_SET = PeerSet(
    fleet="acme",
    epoch=2,
    generation=7,
    issued_at=1795362620.5,
    fresh_until=1795362680.5,
    monitoring=Monitoring.LIVE,
    workers=(
        PublishedWorker(
            name="fra1",
            public_key=KEY,
            endpoints=("192.0.2.1:51820", "[2001:db8::1]:51820", "fra1.example.com:51820"),
            tunnel_addresses=("10.90.0.1", "fd90::1"),
            allowed_ips=("0.0.0.0/0", "::/0"),
            state=WorkerState.SERVING,
            reason="admitted",
            keepalive=10,
            mtu=1400,
            dns=("10.90.0.53",),
            weight=50,
            priority=2,
            region="eu",
            monitored=False,
        ),
    ),
)


def read(document: object) -> PeerSet:
    """The document, read by a client of the fleet `acme`."""
    return PeerSet.from_bytes(json.dumps(document).encode(), fleet="acme")


def with_worker(**changed: object) -> dict[str, Any]:
    """The document with its worker changed."""
    return {**DOCUMENT, "workers": [{**WORKER, **changed}]}


def without(fields: dict[str, Any], field: str) -> dict[str, Any]:
    """The same without a field."""
    return {name: value for name, value in fields.items() if name != field}


def test_the_document_on_the_wire_is_the_one_that_is_agreed() -> None:
    """Field for field: other programs and older clients read it."""
    assert PEER_SET.to_bytes() == json.dumps(DOCUMENT, separators=(",", ":")).encode()


def test_the_document_is_read_whole() -> None:
    """What is written is what is read."""
    assert read(DOCUMENT) == PEER_SET


WORKERS = st.builds(
    PublishedWorker,
    name=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True),
    public_key=st.from_regex(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", fullmatch=True),
    endpoints=st.lists(st.sampled_from(WORKER["endpoints"])).map(tuple),
    tunnel_addresses=st.lists(st.ip_addresses().map(str)).map(tuple),
    allowed_ips=st.lists(st.sampled_from(WORKER["allowed_ips"])).map(tuple),
    state=st.sampled_from(WorkerState),
    reason=st.text(),
    keepalive=st.integers(0, 65535),
    mtu=st.none() | st.integers(),
    dns=st.lists(st.ip_addresses().map(str)).map(tuple),
    weight=st.integers(),
    priority=st.integers(),
    region=st.text(),
    monitored=st.booleans(),
)
PEER_SETS = st.builds(
    PeerSet,
    fleet=st.just("acme"),
    epoch=st.integers(),
    generation=st.integers(),
    issued_at=st.floats(allow_nan=False, allow_infinity=False),
    fresh_until=st.floats(allow_nan=False, allow_infinity=False),
    monitoring=st.sampled_from(Monitoring),
    workers=st.lists(WORKERS, unique_by=(lambda worker: worker.name, lambda worker: worker.public_key)).map(
        tuple
    ),
)


@given(PEER_SETS)
def test_every_peer_set_survives_the_wire(peer_set: PeerSet) -> None:
    """Whatever it says."""
    assert PeerSet.from_bytes(peer_set.to_bytes(), fleet="acme") == peer_set


def test_unknown_fields_are_ignored() -> None:
    """An old client reads a new receiver's document."""
    document = with_worker(shoe_size={"eu": 43})

    assert read({**document, "next_key": "…"}) == PEER_SET


@pytest.mark.parametrize(
    ("field", "otherwise"),
    [
        ("keepalive", 25),
        ("mtu", None),
        ("dns", ()),
        ("weight", 100),
        ("priority", 0),
        ("region", ""),
        ("monitored", True),
    ],
)
def test_what_a_worker_need_not_say_has_a_default(field: str, otherwise: object) -> None:
    """Left out, it is as the fields of PublishedWorker have it."""
    document = {**DOCUMENT, "workers": [without(WORKER, field)]}

    assert getattr(read(document).workers[0], field) == otherwise


def test_a_worker_made_here_has_the_same_defaults() -> None:
    """As one read from a document that leaves them out."""
    must = ("name", "public_key", "endpoints", "tunnel_addresses", "allowed_ips", "state", "reason")
    document = {**DOCUMENT, "workers": [{field: WORKER[field] for field in must}]}
    whole = PEER_SET.workers[0]

    made = PublishedWorker(
        name=whole.name,
        public_key=whole.public_key,
        endpoints=whole.endpoints,
        tunnel_addresses=whole.tunnel_addresses,
        allowed_ips=whole.allowed_ips,
        state=whole.state,
        reason=whole.reason,
    )

    assert read(document).workers == (made,)


def test_the_words_on_the_wire_are_the_agreed_ones() -> None:
    """A client that knows others would take a worker that is down for one that joins."""
    assert [str(state) for state in WorkerState] == [
        "serving",
        "joining",
        "draining",
        "suspect",
        "down",
        "banned",
    ]
    assert [str(monitoring) for monitoring in Monitoring] == ["live", "blind"]


def test_an_unknown_mtu_may_be_said_as_null() -> None:
    """That is how the document has None."""
    assert read(with_worker(mtu=None)).workers[0].mtu is None


def test_an_unknown_state_is_joining() -> None:
    """A client keeps such a worker warm and does not lean on it."""
    assert read(with_worker(state="hibernating")).workers[0].state is WorkerState.JOINING


def test_unknown_monitoring_is_blind() -> None:
    """Who does not know whether the receiver hears anything assumes that it does not."""
    assert read({**DOCUMENT, "monitoring": "half"}).monitoring is Monitoring.BLIND


def test_values_are_brought_to_the_form_of_wg() -> None:
    """So that they can be compared with what the device has."""
    worker = read(with_worker(endpoints=["[2001:DB8:0::1]:051"], allowed_ips=["10.0.0.1"])).workers[0]

    assert (worker.endpoints, worker.allowed_ips) == (("[2001:db8::1]:51",), ("10.0.0.1/32",))


def test_documents_are_ordered_by_epoch_then_generation() -> None:
    """A restored backup raises the epoch, and its lower generations count as new."""
    numbers = [
        read({**DOCUMENT, "epoch": epoch, "generation": generation}).number
        for epoch, generation in [(1, 9), (2, 1), (2, 10)]
    ]

    assert numbers == sorted(numbers) == [(1, 9), (2, 1), (2, 10)]


def test_a_worker_is_found_by_its_name() -> None:
    """Or is not there."""
    assert PEER_SET.worker("fra1") is PEER_SET.workers[0]
    assert PEER_SET.worker("fra2") is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "peer set is NoneType, expected an object"),
        ([], "peer set is list, expected an object"),
        ({}, "peer set: type is None, expected 'wgfleet/peer-set'"),
        (
            {**DOCUMENT, "type": "wgfleet/client-list"},
            "peer set: type is 'wgfleet/client-list', expected 'wgfleet/peer-set'",
        ),
        ({**DOCUMENT, "format": 2}, "peer set: format is 2, expected 1"),
        ({**DOCUMENT, "format": True}, "peer set: format is True, expected 1"),
        ({**DOCUMENT, "format": "1"}, "peer set: format is '1', expected 1"),
        (without(DOCUMENT, "format"), "peer set: format is None, expected 1"),
        ({**DOCUMENT, "fleet": "emca"}, "peer set: fleet is 'emca', expected 'acme'"),
        (without(DOCUMENT, "epoch"), "peer set has no field 'epoch'"),
        ({**DOCUMENT, "epoch": "2"}, "peer set: epoch is '2', expected int"),
        ({**DOCUMENT, "epoch": 2.0}, "peer set: epoch is 2.0, expected int"),
        ({**DOCUMENT, "generation": True}, "peer set: generation is True, expected int"),
        ({**DOCUMENT, "generation": None}, "peer set: generation is None, expected int"),
        (without(DOCUMENT, "issued_at"), "peer set: issued_at is None, expected a number"),
        ({**DOCUMENT, "issued_at": "now"}, "peer set: issued_at is 'now', expected a number"),
        ({**DOCUMENT, "issued_at": False}, "peer set: issued_at is False, expected a number"),
        ({**DOCUMENT, "fresh_until": float("nan")}, "peer set: fresh_until is nan, expected a number"),
        ({**DOCUMENT, "fresh_until": float("inf")}, "peer set: fresh_until is inf, expected a number"),
        ({**DOCUMENT, "fresh_until": 10**309}, f"peer set: fresh_until is {10**309}, expected a number"),
        (without(DOCUMENT, "monitoring"), "peer set has no field 'monitoring'"),
        ({**DOCUMENT, "monitoring": 1}, "peer set: monitoring is 1, expected str"),
        (without(DOCUMENT, "workers"), "peer set has no field 'workers'"),
        (
            {**DOCUMENT, "workers": {"fra1": WORKER}},
            f"peer set: workers is {{'fra1': {WORKER}}}, expected list",
        ),
        ({**DOCUMENT, "workers": [WORKER, "fra2"]}, "worker 1 is str, expected an object"),
        ({**DOCUMENT, "workers": [without(WORKER, "name")]}, "worker 0 has no field 'name'"),
        (
            with_worker(name="Fra 1"),
            "worker 0: name: 'Fra 1' is not a name: lower-case letters, digits and inner hyphens, 1 to 63 of them",
        ),
        (with_worker(public_key=None), "worker fra1: public_key is None, expected str"),
        (
            with_worker(public_key=KEY[1:]),
            (
                f"worker fra1: public_key: '{KEY[1:]}' is not a WireGuard public key: "
                "44 characters of base64, as `wg pubkey` prints"
            ),
        ),
        (with_worker(endpoints="192.0.2.1:1"), "worker fra1: endpoints is '192.0.2.1:1', expected list"),
        (with_worker(endpoints=[1]), "worker fra1: endpoints is [1], expected a list of strings"),
        (
            with_worker(endpoints=["192.0.2.1"]),
            (
                "worker fra1: endpoints: '192.0.2.1' is not an endpoint: "
                "host:port with a port from 1 to 65535, as 192.0.2.1:51820"
            ),
        ),
        (
            with_worker(tunnel_addresses=["10.90.0.1/24"]),
            "worker fra1: tunnel_addresses: '10.90.0.1/24' is not an IP address: as 10.0.0.1 or fd00::1",
        ),
        (
            with_worker(allowed_ips=["10.90.0.1/24"]),
            (
                "worker fra1: allowed_ips: '10.90.0.1/24' is not a network: 10.90.0.1/24 has host bits set; "
                "as 10.0.0.0/24 or ::/0"
            ),
        ),
        (with_worker(state=None), "worker fra1: state is None, expected str"),
        (with_worker(reason=0), "worker fra1: reason is 0, expected str"),
        (with_worker(keepalive="25"), "worker fra1: keepalive is '25', expected int"),
        (
            with_worker(keepalive=65536),
            "worker fra1: keepalive: 65536 is not what wg(8) takes: 0, which is off, to 65535 seconds",
        ),
        (with_worker(mtu="1400"), "worker fra1: mtu is '1400', expected int"),
        (
            with_worker(dns=["1.1.1.1\nPostUp = reboot"]),
            "worker fra1: dns: '1.1.1.1\\nPostUp = reboot' is not an IP address: as 10.0.0.1 or fd00::1",
        ),
        (with_worker(weight=None), "worker fra1: weight is None, expected int"),
        (with_worker(region=["eu"]), "worker fra1: region is ['eu'], expected str"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused(document: object, message: str) -> None:
    """The refusal names the place, the value and what would be right."""
    with pytest.raises(DocumentError, match=f"^{re.escape(message)}$"):
        read(document)


@pytest.mark.parametrize("field", ["name", "public_key"])
def test_twins_are_refused(field: str) -> None:
    """Two workers with one name or one key would be one peer with two wills."""
    twin = {**WORKER, "name": "fra2", "public_key": OTHER_KEY, field: WORKER[field]}

    with pytest.raises(DocumentError, match=f"^two workers of the peer set have the same {field}$"):
        read({**DOCUMENT, "workers": [WORKER, twin]})


def test_workers_may_share_everything_else() -> None:
    """Two that differ in name and key are two."""
    other = {**WORKER, "name": "fra2", "public_key": OTHER_KEY}

    assert len(read({**DOCUMENT, "workers": [WORKER, other]}).workers) == 2


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    """Cut off, no text at all, or nested to no end."""
    with pytest.raises(DocumentError, match=r"^the peer set is not JSON: "):
        PeerSet.from_bytes(payload, fleet="acme")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def only_refuses(payload: bytes) -> None:
    """Read it: it is a peer set, or DocumentError, and no other exception."""
    try:
        PeerSet.from_bytes(payload, fleet="acme")
    except DocumentError as refused:
        str(refused).encode()  # Which can be logged.


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_document_error_comes_of_noise(payload: bytes) -> None:
    """Any bytes, and any JSON."""
    only_refuses(payload)


@given(
    field=st.sampled_from(sorted(DOCUMENT)), of_worker=st.sampled_from([None, *sorted(WORKER)]), value=VALUES
)
def test_nothing_but_document_error_comes_of_a_wrong_value(
    field: str, of_worker: str | None, value: object
) -> None:
    """Any JSON in the place of any field."""
    document = copy.deepcopy(DOCUMENT)
    (document if of_worker is None else document["workers"][0])[of_worker or field] = value

    only_refuses(json.dumps(document).encode())
