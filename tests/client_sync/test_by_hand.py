"""Tests of client_sync/by_hand.py: the whole file, from the documents that the daemon keeps."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from client_sync.by_hand import own_addresses, rendered
from client_sync.cache import Documents
from client_sync.config import Config, ConfigurationError, LayoutKind, Role
from tests.client_sync.own_network import in_own_network, ip
from tests.client_sync.samples import FLEET, peer_set, public_key, signed, worker
from wgfleet.peerset import WorkerState
from wgfleet.quick import NoWorkerError
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()
NOWHERE = "wg-not-there"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of a client that has heard of two workers and a banned one, and whose interface is gone."""
    documents = Documents(tmp_path, Verifier([SIGNER.public_text]), FLEET)
    workers = (worker(1), worker(2, mtu=1380), worker(3, WorkerState.BANNED))
    documents.take(signed(SIGNER, peer_set(*workers, generation=7)))
    documents.keep()
    keys = (SIGNER.public_text,)
    return Config(FLEET, "laptop-1", NOWHERE, keys, ("https://a",), state_directory=tmp_path)


def active(config: Config, name: object) -> Path:
    """A status that says so."""
    file = config.state_directory / "status.json"
    file.write_text(json.dumps({"active": name}))
    return file


def peer_of(text: str) -> str:
    """The worker of the file's one peer."""
    return text.split("\n[Peer]\n", maxsplit=1)[0].splitlines()[-1].removeprefix("# ")


def test_the_file_is_for_the_active_worker_and_has_no_private_key(config: Config) -> None:
    """It says where the key goes, and what else whoever takes over must know."""
    assert (
        rendered(config, active(config, "w2"), None)
        == f"""\
# laptop-1 through w2 (serving), by peer set 1.7 of fleet example.
# The private key is not in here: wg-quick takes it from /etc/wireguard/%i.key, where %i is the interface.
# While the interface is up: (umask 077; wg show {NOWHERE} private-key > /etc/wireguard/{NOWHERE}.key)
# Stop wgfleet-sync before you use it: nothing fails over from here on.
# {NOWHERE} has no addresses here: put in Address = (this client's own) below.
# w2 carries no IPv6: without the daemon, IPv6 goes outside the tunnel.
[Interface]
PostUp = wg set %i private-key /etc/wireguard/%i.key
MTU = 1380

# w2
[Peer]
PublicKey = {public_key(2)}
AllowedIPs = 0.0.0.0/0
Endpoint = 192.0.2.2:51820
PersistentKeepalive = 25
"""
    )


def test_where_the_daemon_makes_the_interfaces_key_and_addresses_are_its_own(config: Config) -> None:
    """There `interface` is only what their names begin with."""
    file = config.state_directory / "private.key"
    made = replace(config, layout=LayoutKind.PER_WORKER, private_key_file=file, addresses=("10.99.1.7",))

    text = rendered(made, active(config, "w2"), None)

    assert "\nAddress = 10.99.1.7/32\n" in text
    assert f"\nPostUp = wg set %i private-key {file}\n" in text
    assert NOWHERE not in text


def test_another_worker_may_be_named(config: Config) -> None:
    """The active one may be what has died."""
    assert peer_of(rendered(config, active(config, "w2"), "w1")) == "w1"


@pytest.mark.parametrize("said", [None, "w3", "w9", 7])
def test_without_an_active_worker_that_may_be_used_one_is_chosen(config: Config, said: object) -> None:
    """None was, or it is banned, gone, or no name."""
    assert peer_of(rendered(config, active(config, said), None)) in {"w1", "w2"}


def test_without_a_status_one_is_chosen(config: Config) -> None:
    """The daemon never got so far."""
    assert peer_of(rendered(config, config.state_directory / "status.json", None)) in {"w1", "w2"}


def test_a_worker_that_is_not_there_is_refused(config: Config) -> None:
    """With those that are."""
    with pytest.raises(NoWorkerError, match="there is no worker 'w9': known are w1, w2, w3"):
        rendered(config, active(config, "w1"), "w9")


def test_a_worker_is_told_that_this_is_for_clients(config: Config) -> None:
    """It has a client list, and peers that go on without the daemon."""
    with pytest.raises(ConfigurationError, match="role: is worker: only a client connects through a worker"):
        rendered(replace(config, role=Role.WORKER), active(config, "w1"), None)


def test_a_document_that_cannot_be_trusted_is_not_used(config: Config) -> None:
    """Somebody else signed it."""
    (config.state_directory / "peer-set.jws").write_bytes(signed(Signer.generate(), peer_set(worker(1))))

    with pytest.raises(NoWorkerError, match="no peer set that can be trusted is kept in"):
        rendered(config, active(config, "w1"), None)


@pytest.mark.system
def test_the_interfaces_own_addresses_are_taken_with_their_lengths() -> None:
    """Of both families; not that of the link, which the kernel makes."""

    def part() -> list[str]:
        ip("link add wg0 type bridge")
        ip("link set wg0 up")
        ip("address add 10.99.0.7/16 dev wg0")
        ip("address add fd99::7/64 dev wg0 nodad")
        return list(own_addresses("wg0"))

    assert in_own_network(part) == ["10.99.0.7/16", "fd99::7/64"]
