"""Tests of client_sync/remarks.py."""

from pathlib import Path

import pytest

from client_sync.brokers import Broker
from client_sync.config import Config
from client_sync.remarks import Remarks, open_secrets
from tests.client_sync.scene import said


def test_a_remark_is_logged_once_and_told_for_as_long_as_it_is_so(caplog: pytest.LogCaptureFixture) -> None:
    """One that is over and comes again is news."""
    found = ["a"]
    remarks = Remarks(lambda: found, lambda: ["b"])

    assert [remarks(), remarks()] == [["a", "b"]] * 2
    found.clear()
    assert remarks() == ["b"]
    found.append("a")
    remarks()

    assert [facts["remark"] for facts in said(caplog, "attention")] == ["a", "b", "a"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Each secret that there can be, in a file of its own."""
    files = {name: tmp_path / name for name in ("token", "a key", "proxy", "password", "tls.key")}
    for file in files.values():
        file.touch(mode=0o600)
    return Config(
        fleet="example",
        name="laptop-9",
        interface="wg0",
        trusted_keys=(),
        receivers=("https://mon.example.com",),
        token_file=files["token"],
        private_key_file=files["a key"],
        proxy_credentials_file=files["proxy"],
        mqtt=Broker("mqtts://a", password_file=files["password"], key_file=files["tls.key"]),
    )


def test_secrets_that_only_their_owner_reads_are_no_remark(config: Config, tmp_path: Path) -> None:
    """Nor is one that is not there: whoever needs it says so."""
    (tmp_path / "token").unlink()
    (tmp_path / "proxy").chmod(0o400)

    assert open_secrets(config) == []


@pytest.mark.parametrize("name", ["token", "a key", "proxy", "password", "tls.key"])
@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_secret_that_others_may_read_is_said_with_what_to_do(
    config: Config, tmp_path: Path, name: str, mode: int
) -> None:
    """By its name and mode; a name with a blank can be pasted, too."""
    file = tmp_path / name
    file.chmod(mode)

    quoted = f"'{file}'" if " " in name else file
    assert open_secrets(config) == [
        f"{file} may be read by others (its mode is 0{mode:o}): `chmod 600 {quoted}`"
    ]
