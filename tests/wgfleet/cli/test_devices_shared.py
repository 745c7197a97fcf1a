"""Tests of wgfleet/cli/devices.py: devices for the identity that workers share, against a receiver that runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failover_receiver.running import Running
from tests.lab.keys import new_key_pair
from tests.wgfleet.cli.operating import Run, operating
from wgfleet.wgconf import parse

KEY = new_key_pair().public
SHARED = {
    "public_key": KEY,
    "endpoint": "vpn.example.com:51821",
    "pools": ["10.98.0.0/16"],
    "tunnel_addresses": ["10.98.0.1"],
    "mtu": 1380,
}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    """One that serves, and knows what workers share."""
    pools = ["10.99.0.0/16"]
    with Running(tmp_path / "receiver", client_pools=pools, shared=SHARED) as running:
        yield running


@pytest.fixture
def wgfleet(receiver: Running) -> Run:
    """Runs the command as an operator would."""
    return operating(receiver.url, receiver.directory, "client")


def test_a_shared_devices_file_has_one_peer_by_name(wgfleet: Run, tmp_path: Path) -> None:
    """Of the shared key; the receiver gives it an address that workers know it by, and no worker need be there."""
    file = tmp_path / "phone1.conf"

    ran = wgfleet("add", "phone1", "--config", file, "--shared")

    assert ran.returncode == 0, ran.stderr
    made = parse(file.read_text())
    (peer,) = made.peers
    assert (peer.public_key, peer.allowed_ips) == (KEY, ("0.0.0.0/0", "::/0"))
    assert "\nEndpoint = vpn.example.com:51821\n" in file.read_text()
    assert "\nMTU = 1380\n" in file.read_text()
    known = json.loads(wgfleet("list", "--json").stdout)["clients"]["phone1"]
    assert known["addresses"] == ["10.98.0.2"]


def test_what_a_shared_device_must_do_is_said_on_stderr(wgfleet: Run) -> None:
    """And in the file."""
    ran = wgfleet("add", "phone1", "--config", "-", "--shared")

    assert ran.stdout.startswith(
        "# phone1, through the worker that vpn.example.com:51821 leads to. A name must be looked up again to follow it.\n"
    )
    assert "it must look it up again to notice a change" in ran.stderr


@pytest.mark.parametrize("words", [("--public-key", KEY), ("--config", "-", "--worker", "fra1")])
def test_shared_belongs_to_a_file_and_to_no_single_worker(wgfleet: Run, words: tuple[str, ...]) -> None:
    """With 2, before anything is made."""
    ran = wgfleet("add", "phone1", "--shared", *words)

    assert ran.returncode == 2
    assert "--shared belongs to --config or --qr, and goes without --worker" in ran.stderr
