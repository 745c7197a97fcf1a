"""Tests of client_sync/config.py: what it says of the layout with an interface for each worker."""

from pathlib import Path

import pytest

from client_sync.config import ConfigurationError, LayoutKind, load
from client_sync.tunnels.making import Implementation
from wgfleet.signing import Signer

KEY = Signer.generate().public_text
REQUIRED = f"""\
fleet = "example"
name = "laptop-1"
interface = "wg"
receivers = ["https://monitoring.example.com:9587"]
token_file = "token"
trusted_keys = ["{KEY}"]
"""
PER_WORKER = f"""{REQUIRED}
layout = "per-worker"
private_key_file = "private.key"
addresses = ["10.99.1.7/16", "fd00::7"]
"""


def read(directory: Path, text: str) -> Path:
    """The file, written."""
    file = directory / "sync.toml"
    file.write_text(text)
    return file


def refusal(directory: Path, text: str) -> str:
    """What is wrong with it, without its name."""
    file = read(directory, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    return str(caught.value).removeprefix(f"{file}:\n  ")


def test_the_smallest_file_of_this_layout(tmp_path: Path) -> None:
    """Addresses are as they are said; the layout leaves a prefix length out."""
    config = load(read(tmp_path, PER_WORKER))

    assert config.layout is LayoutKind.PER_WORKER
    assert config.private_key_file == tmp_path / "private.key"
    assert config.addresses == ("10.99.1.7/16", "fd00::7")
    assert (config.firewall_mark, config.wireguard, config.drain_deadline) == (
        958600,
        Implementation.AUTO,
        3600.0,
    )


def test_all_of_this_layout_can_be_said(tmp_path: Path) -> None:
    """Whatever has a default."""
    said = (
        'firewall_mark = 51820\nwireguard = "userspace"\ndrain_deadline = 0\nprobe_target = "2001:DB8::1"\n'
    )

    config = load(read(tmp_path, PER_WORKER + said))

    assert (config.firewall_mark, config.wireguard, config.drain_deadline) == (
        51820,
        Implementation.USERSPACE,
        0.0,
    )
    assert config.probe_target == "2001:db8::1"


def test_what_this_layout_requires_is_said_when_it_is_missing(tmp_path: Path) -> None:
    """All of it at once, and that the prefix is too long for names of fifteen."""
    said = REQUIRED.replace('"wg"', '"tunnel0"') + 'layout = "per-worker"\nmanage_routes = false\n'

    assert refusal(tmp_path, said).split("\n  ") == [
        'private_key_file: is missing, with layout = "per-worker"',
        'addresses: is missing, with layout = "per-worker"',
        (
            "interface: is 'tunnel0': with layout = \"per-worker\" interfaces' names begin with it, so at most 6 "
            "characters were expected, as wg"
        ),
        ('manage_routes: is false: with layout = "per-worker" a move is a change of routes, so leave it out'),
    ]


def test_what_is_of_this_layout_is_refused_with_the_other(tmp_path: Path) -> None:
    """Somebody would wait for a drain that never comes."""
    said = f'{REQUIRED}layout = "single"\ndrain_deadline = 60\nprobe_target = "9.9.9.9"\n'

    assert refusal(tmp_path, said).split("\n  ") == [
        'drain_deadline: is for layout = "per-worker" only',
        'probe_target: is for layout = "per-worker" only',
    ]


def test_a_target_of_a_family_that_the_client_has_no_address_of_is_refused(tmp_path: Path) -> None:
    """No probe could be sent, and nobody would know."""
    said = PER_WORKER.replace(', "fd00::7"', "") + 'probe_target = "2001:db8::1"\n'

    assert refusal(tmp_path, said) == (
        "probe_target: is '2001:db8::1': this client has no IPv6 address inside the tunnel: add one to `addresses`, or "
        "choose a target of the other family"
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('layout = "both"', "layout: is 'both': one of single, per-worker was expected"),
        ('wireguard = "go"', "wireguard: is 'go': one of auto, kernel, userspace was expected"),
        (
            "firewall_mark = 253",
            (
                "firewall_mark: is 253: a number was expected, from 256 to 2147483647: those below are tables of the "
                "system"
            ),
        ),
        (
            'drain_deadline = "1h"',
            "drain_deadline: is '1h': seconds were expected, from 0 to 604800, a week",
        ),
        *(
            (
                f'probe_target = "{wrong}"',
                (
                    f"probe_target: is {wrong!r}: one address beyond the workers was expected, as 198.51.100.1 or "
                    "2001:db8::1"
                ),
            )
            for wrong in (
                "dns.example.com",
                "127.0.0.1",
                "::",
                "fe80::1%eth0",
                "224.0.0.1",
                "198.51.100.0/24",
            )
        ),
        (
            'addresses = ["10.99"]',
            (
                "addresses: is ['10.99']: '10.99' does not appear to be an IPv4 or IPv6 interface: addresses were "
                "expected, as 10.99.1.7 or fd00::7"
            ),
        ),
    ],
)
def test_a_wrong_value_is_refused(tmp_path: Path, line: str, fault: str) -> None:
    """With what would be right."""
    key = line.partition(" ")[0]
    others = [old for old in PER_WORKER.splitlines() if not old.startswith(f"{key} ")]

    assert refusal(tmp_path, "\n".join([*others, line])).split("\n  ")[0] == fault


def test_a_key_in_place_of_its_files_name_is_not_quoted(tmp_path: Path) -> None:
    """It is a secret, and the error goes to the log."""
    secret = f"{'s' * 42}A="

    refused = refusal(tmp_path, PER_WORKER.replace('"private.key"', f'"{secret}"'))

    assert refused.startswith("private_key_file: the name of a file was expected, and not the key itself")
    assert secret not in refused
