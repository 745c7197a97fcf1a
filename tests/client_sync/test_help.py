"""Tests of what `wgfleet-sync run --help` shows: configurations that are right, and no key is left out."""

import json
import tomllib
from pathlib import Path

import pytest

from client_sync.__main__ import EXAMPLE, OWN, PER_WORKER, RESTART, VANTAGE_EXAMPLE, WORKER_EXAMPLE, main
from client_sync.applying import Apply
from client_sync.config import _OF_ROLE, DRAIN_SECONDS, Config, LayoutKind, Role, load
from wgfleet.signing import Signer

KEY = Signer.generate().public_text


@pytest.fixture
def help_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """All of it."""
    monkeypatch.setattr("sys.argv", ["wgfleet-sync", "run", "--help"])
    with pytest.raises(SystemExit):
        main()
    return capsys.readouterr().out


def settings_of(example: str) -> str:
    """The file in it."""
    return "\n".join(line for line in example.splitlines() if line.startswith("  ")).replace("...", KEY)


def test_the_help_shows_a_workers_configuration_that_is_right(help_text: str, tmp_path: Path) -> None:
    """What a client's has beside is for clients."""
    assert WORKER_EXAMPLE in help_text
    common = [line for line in settings_of(EXAMPLE).splitlines() if _OF_ROLE.get(line.split()[0]) is None]
    file = tmp_path / "sync.toml"
    file.write_text("\n".join([*common, settings_of(WORKER_EXAMPLE)]))

    config = load(file)

    assert (config.role, config.forwarding, config.masquerade) == (Role.WORKER, False, ())
    assert (config.drain_on_stop, config.drain_timeout) == (False, DRAIN_SECONDS)


def test_the_help_shows_a_vantages_configuration_that_is_right(help_text: str, tmp_path: Path) -> None:
    """What a client's has beside is for clients."""
    assert VANTAGE_EXAMPLE in help_text
    common = tomllib.loads(settings_of(EXAMPLE)) | tomllib.loads(settings_of(VANTAGE_EXAMPLE))
    file = tmp_path / "sync.toml"
    file.write_text(
        "\n".join(f"{key} = {json.dumps(value)}" for key, value in common.items() if key not in _OF_ROLE)
    )

    config = load(file)

    assert (config.role, config.manage_routes) == (Role.VANTAGE, True)


def test_the_help_shows_a_configuration_that_is_right(help_text: str, tmp_path: Path) -> None:
    """What it shows can be written to a file and loaded; what it calls defaults are the defaults; no key is left out."""
    assert EXAMPLE in help_text
    shown = settings_of(EXAMPLE)
    file = tmp_path / "sync.toml"
    file.write_text(shown)
    defaults = {name: field.default for name, field in Config.__dataclass_fields__.items()}

    config = load(file)

    others = {
        key
        for example in (WORKER_EXAMPLE, PER_WORKER, RESTART)
        for key in tomllib.loads(settings_of(example))
    }
    assert tomllib.loads(shown).keys() | others == defaults.keys()
    assert config.policy is defaults["policy"]
    assert config.state_directory == defaults["state_directory"]
    for name in (
        "local_failover",
        "active_probe_interval",
        "standby_probe_interval",
        "failback_after",
        "failback_spread",
    ):
        assert getattr(config, name) == defaults[name]
    assert config.manage_routes is defaults["manage_routes"]
    assert (config.kill_switch, config.kill_switch_allow) == (False, ())


def test_the_help_shows_a_configuration_whose_interface_the_daemon_makes(
    help_text: str, tmp_path: Path
) -> None:
    """It goes with all that the first says."""
    assert OWN in help_text
    both = tomllib.loads(settings_of(EXAMPLE)) | tomllib.loads(settings_of(OWN))
    file = tmp_path / "sync.toml"
    file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in both.items()))
    defaults = {name: field.default for name, field in Config.__dataclass_fields__.items()}

    config = load(file)

    assert config.private_key_file == tmp_path / "private.key"
    assert config.wireguard is defaults["wireguard"]
    assert config.firewall_mark == defaults["firewall_mark"]


def test_the_help_shows_a_configuration_with_an_interface_for_each_worker(
    help_text: str, tmp_path: Path
) -> None:
    """Likewise; it replaces what the first says otherwise, and leaves out what is of the other layout."""
    assert PER_WORKER in help_text
    both = tomllib.loads(settings_of(EXAMPLE)) | tomllib.loads(settings_of(PER_WORKER))
    del both["manage_routes"]
    file = tmp_path / "sync.toml"
    file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in both.items()))
    defaults = {name: field.default for name, field in Config.__dataclass_fields__.items()}

    config = load(file)

    assert config.layout is LayoutKind.PER_WORKER
    assert config.wireguard is defaults["wireguard"]
    assert config.firewall_mark == defaults["firewall_mark"]
    assert config.drain_deadline == defaults["drain_deadline"]


def test_the_help_shows_a_configuration_that_restarts(help_text: str, tmp_path: Path) -> None:
    """Beside what the first example requires."""
    assert RESTART in help_text
    both = tomllib.loads(settings_of(EXAMPLE)) | tomllib.loads(settings_of(RESTART))
    file = tmp_path / "sync.toml"
    file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in both.items()))

    config = load(file)

    assert (config.apply, config.kill_switch) == (Apply.RESTART, True)
    assert config.wg_quick_file == Path("/etc/wireguard/wg0.conf")
