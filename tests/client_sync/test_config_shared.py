"""Tests of client_sync/config.py: what it says of an interface whose key workers share."""

from pathlib import Path

import pytest

from client_sync.config import load
from tests.client_sync.test_config_layout import refusal
from wgfleet.signing import Signer

KEY = Signer.generate().public_text
WORKER = f"""\
fleet = "example"
name = "fra1"
interface = "wg0"
role = "worker"
receivers = ["https://monitoring.example.com:9587"]
token_file = "token"
trusted_keys = ["{KEY}"]
"""
NETWORKS = 'shared_networks = ["10.98.0.0/16", "fd98::/64"]\n'


def test_a_worker_names_the_interface_and_its_networks(tmp_path: Path) -> None:
    """Both, or neither."""
    file = tmp_path / "sync.toml"
    file.write_text(f'{WORKER}shared_interface = "wg1"\n{NETWORKS}')

    config = load(file)

    assert (config.shared_interface, config.shared_networks) == ("wg1", ("10.98.0.0/16", "fd98::/64"))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (NETWORKS, "shared_interface: is missing, with shared_networks: both are needed"),
        (
            'shared_interface = "wg1"\n',
            "shared_networks: is missing, with shared_interface: as shared.pools in receiver.toml",
        ),
        (
            f'shared_interface = "wg0"\n{NETWORKS}',
            "shared_interface: is 'wg0', as interface is: another one was expected, as wg1",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, lines: str, why: str) -> None:
    """With what would be right."""
    assert refusal(tmp_path, WORKER + lines) == why


def test_a_client_shares_nothing(tmp_path: Path) -> None:
    """It is for workers."""
    said = WORKER.replace('role = "worker"', 'role = "client"') + 'shared_interface = "wg1"\n' + NETWORKS

    assert "shared_interface: is for the role worker, and this is a client: take it away" in refusal(
        tmp_path, said
    )
