"""Tests of wgfleet/keypair.py: keys are WireGuard's own."""

import os
import shutil
import subprocess

import pytest

from wgfleet.keypair import new_key_pair
from wgfleet.names import check_public_key


def test_a_pair_is_what_wg_would_make_of_the_private_key() -> None:
    pair = new_key_pair()
    check_public_key(pair.public)
    if shutil.which("wg") is None:
        missing = "there is no wg here to compare with: install the package wireguard-tools"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    done = subprocess.run(["wg", "pubkey"], input=pair.private, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == pair.public


def test_the_private_key_is_not_shown_and_no_pair_is_made_twice() -> None:
    pair = new_key_pair()
    assert pair.private not in repr(pair)
    assert pair != new_key_pair()
