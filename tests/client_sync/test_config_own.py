"""Tests of client_sync/config.py: what it says of one interface that the daemon makes."""

from pathlib import Path

import pytest

from client_sync.config import LayoutKind, load
from client_sync.tunnels.making import Implementation
from tests.client_sync.test_config_layout import REQUIRED, read, refusal

OWN = f"""{REQUIRED}
private_key_file = "private.key"
addresses = ["10.99.1.7/16", "fd00::7"]
"""


def test_the_smallest_file_of_it(tmp_path: Path) -> None:
    """The layout need not be said, and a prefix length stays: the network is the interface's."""
    config = load(read(tmp_path, OWN))

    assert config.layout is LayoutKind.SINGLE
    assert config.private_key_file == tmp_path / "private.key"
    assert config.addresses == ("10.99.1.7/16", "fd00::7")
    assert config.firewall_mark == 958600


def test_mark_implementation_and_routes_may_be_said(tmp_path: Path) -> None:
    """As it is of an interface that was adopted, and by somebody who routes by hand."""
    said = 'firewall_mark = 51820\nwireguard = "kernel"\nmanage_routes = false\n'

    config = load(read(tmp_path, OWN + said))

    assert (config.firewall_mark, config.wireguard, config.manage_routes) == (
        51820,
        Implementation.KERNEL,
        False,
    )


@pytest.mark.parametrize(
    ("said", "missing"), [("private_key_file", "addresses"), ("addresses", "private_key_file")]
)
def test_a_key_without_addresses_is_refused_and_the_other_way_round(
    tmp_path: Path, said: str, missing: str
) -> None:
    """Half of an interface would be made."""
    (line,) = [line for line in OWN.splitlines() if line.startswith(said)]

    assert refusal(tmp_path, f"{REQUIRED}{line}\n") == (
        f"{missing}: is missing, with {said}: for an interface that the daemon makes, both are needed"
    )


@pytest.mark.parametrize("line", ["firewall_mark = 51820", 'wireguard = "kernel"'])
def test_what_is_of_one_that_is_made_is_refused_without_a_key(tmp_path: Path, line: str) -> None:
    """Somebody would wait for a mark that is never set."""
    key = line.partition(" ")[0]

    assert refusal(tmp_path, f"{REQUIRED}{line}\n") == (
        f"{key}: is for an interface that the daemon makes: say private_key_file and addresses, too"
    )
