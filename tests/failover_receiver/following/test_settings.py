"""Tests of following/settings.py: what is wrong in a follower's configuration is said with the key."""

from pathlib import Path

import pytest

from failover_receiver.following.settings import load
from failover_receiver.settings import ConfigurationError
from wgfleet.signing import Signer

KEY = Signer.generate().public_text
GOOD = f'fleet = "test"\nreceivers = ["https://x/"]\ntoken_file = "token"\ntrusted_keys = ["{KEY}"]\n'


def test_paths_count_from_its_own_folder(tmp_path: Path) -> None:
    """As the receiver's do; URLs have no slash at their end."""
    (tmp_path / "follower.toml").write_text(GOOD)

    said = load(tmp_path / "follower.toml")

    assert said.token_file == tmp_path / "token"
    assert said.receivers == ["https://x"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("receivers = []", "receivers: is []: 1 or more of them were expected"),
        ('receivers = ["x"]', "receivers.0: is 'x': not a URL: as http://127.0.0.1:9093"),
        (
            "trusted_keys = []",
            "trusted_keys: no trusted key: pin at least the receiver's",
        ),
        ('store = "x"', "store: there is no such key; known are ca_file, fleet, "),
    ],
)
def test_a_fault_is_named(tmp_path: Path, line: str, said: str) -> None:
    """With its value, and what would be right."""
    key = line.partition(" ")[0]
    lines = [one for one in GOOD.splitlines() if not one.startswith(key)]
    (tmp_path / "follower.toml").write_text("\n".join([*lines, line]))

    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "follower.toml")

    assert said in str(caught.value)


def test_what_is_no_key_is_not_quoted(tmp_path: Path) -> None:
    """It may be a secret in the wrong place."""
    (tmp_path / "follower.toml").write_text(GOOD.replace(KEY, "my-secret"))

    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "follower.toml")

    assert "my-secret" not in str(caught.value)


def test_one_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    """With where one is shown."""
    with pytest.raises(ConfigurationError, match=r"is not there: docs/followers\.md shows one"):
        load(tmp_path / "follower.toml")
