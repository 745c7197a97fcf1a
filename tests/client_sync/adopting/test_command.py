"""Tests of client_sync/adopting/command.py and saying.py: what is written, what is refused, what is said."""

import json
import sys
from pathlib import Path

import pytest

from client_sync.__main__ import main
from client_sync.adopting import command as module
from client_sync.adopting.found import Maker
from client_sync.cache import Documents
from client_sync.config import load
from tests.client_sync.device import peer
from tests.client_sync.samples import ALL, FLEET, peer_set, public_key, signed, worker
from tests.lab.keys import KeyPair, new_key_pair
from wgfleet.device import Device
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()
CONFIGURATION = f"""\
fleet = "{FLEET}"
name = "laptop-9"
interface = "wg0"
receivers = ["https://monitoring.example.com"]
token_file = "token"
trusted_keys = ["{SIGNER.public_text}"]
state_directory = "state"
"""
STRANGER = public_key(9)


class Site:
    """A machine with a full tunnel that wg-quick made: one worker of the fleet and one peer of others."""

    def __init__(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.directory = directory
        self.keys: KeyPair = new_key_pair()
        self.addresses = ["10.99.1.7/16", "fe80::1/64"]
        self.device = Device(
            "wg0", self.keys.public, 40000, 51820, (peer(public_key(1), ALL), peer(STRANGER, "10.5.0.0/16"))
        )
        self.makers = (Maker("wg-quick", "/etc/wireguard/wg0.conf", saves=True),)
        self._monkeypatch, self._capsys = monkeypatch, capsys
        rules = [
            {"table": "main", "suppress_prefixlen": 0},
            {"not": None, "fwmark": "0xca6c", "table": "51820"},
        ]
        monkeypatch.setattr(module, "read_device", lambda _name: self.device)
        monkeypatch.setattr(module, "addresses", lambda _name: self.addresses)
        monkeypatch.setattr(module, "private_key", lambda _name: self.keys.private)
        monkeypatch.setattr(module, "makers", lambda _name: self.makers)
        monkeypatch.setattr(module, "_rules", lambda: {4: rules})

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.directory / "sync.toml"

    def configured(self) -> None:
        """It is enrolled, and its daemon has run."""
        self.file.write_text(CONFIGURATION)
        (self.directory / "state").mkdir()
        documents = Documents(self.directory / "state", Verifier([SIGNER.public_text]), FLEET)
        documents.take(signed(SIGNER, peer_set(worker(1), worker(2))))
        documents.keep()

    def adopt(self, *flags: str) -> tuple[int, str, str]:
        """Run the command: exit code and both outputs."""
        words = ["wgfleet-sync", "adopt", "wg0", "--directory", str(self.directory), *flags]
        self._monkeypatch.setattr(sys, "argv", words)
        code = main()
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    """The machine."""
    return Site(tmp_path, monkeypatch, capsys)


def test_all_that_was_found_is_said_for_people(site: Site) -> None:
    """Whose peers they are, what could fight, what is written, what to do next."""
    site.configured()

    assert site.adopt("--bring-up") == (
        0,
        f"""\
wg0, which was left as it is:
  public key     {site.keys.public}
  addresses      10.99.1.7/16
  made by        wg-quick (/etc/wireguard/wg0.conf)
  firewall mark  51820
  carries        all traffic, with the mark and the rules that it needs
peers:
  {public_key(1)}  w1  (no endpoint)  0.0.0.0/0
  {STRANGER}  others': it stays  (no endpoint)  10.5.0.0/16
what could fight with the daemon:
  - /etc/wireguard/wg0.conf says SaveConfig = true: `wg-quick down` would write the workers into it as peers, and they \
would be others' then. Take the line out
  - the daemon makes the interface with the workers only: after it was gone, these peers are not there again: {STRANGER}
written: {site.file}
  interface = "wg0"
  private_key_file = "wg0.key"
  addresses = ["10.99.1.7/16"]
  firewall_mark = 51820
What is left to do:
  1. systemctl disable wg-quick@wg0    # not stop: that would take it down
  2. the drop-in wgfleet-sync.service.d of deploy/systemd is needed, as for every interface that the daemon makes
  3. systemctl enable wgfleet-sync && systemctl restart wgfleet-sync
""",
        "",
    )


def test_what_is_written_is_what_the_daemon_needs_to_make_it_again(site: Site) -> None:
    """Key, addresses and mark, each file for its owner alone; the key is in no output."""
    site.configured()

    code, out, err = site.adopt("--bring-up", "--json")

    config = load(site.file)
    assert code == 0
    assert (config.addresses, config.firewall_mark) == (("10.99.1.7/16",), 51820)
    assert config.private_key_file == site.directory / "wg0.key"
    assert (site.directory / "wg0.key").read_text().strip() == site.keys.private
    assert {(site.directory / name).stat().st_mode & 0o777 for name in ("wg0.key", "sync.toml")} == {0o600}
    assert site.keys.private not in out + err


def test_without_bring_up_no_key_is_copied(site: Site) -> None:
    """The interface stays somebody else's to make."""
    site.configured()

    code, out, _ = site.adopt()

    assert code == 0
    assert site.file.read_text() == CONFIGURATION
    assert not (site.directory / "wg0.key").exists()
    assert "systemctl disable" not in out


def test_a_second_time_changes_nothing(site: Site) -> None:
    """Not even the key's file is written anew."""
    site.configured()
    site.adopt("--bring-up")
    before = site.file.read_bytes(), (site.directory / "wg0.key").stat().st_ino

    assert site.adopt("--bring-up")[0] == 0

    assert (site.file.read_bytes(), (site.directory / "wg0.key").stat().st_ino) == before


def test_a_configuration_of_another_interface_is_kept_unless_it_is_meant(site: Site) -> None:
    """With --again it is replaced."""
    site.configured()
    site.file.write_text(CONFIGURATION.replace("wg0", "wg7"))

    code, out, err = site.adopt()
    assert (code, out) == (1, "")
    assert err == (
        f"wgfleet-sync: {site.file} was left as it is: it says otherwise: interface is 'wg7', and 'wg0' was found. With "
        "--again what was found replaces it\n"
    )

    assert site.adopt("--again")[0] == 0
    assert site.file.read_text() == CONFIGURATION


def test_a_file_with_another_key_is_kept_unless_it_is_meant(site: Site) -> None:
    """It may be the only copy of somebody's."""
    site.configured()
    (site.directory / "wg0.key").write_text(new_key_pair().private)

    code, _, err = site.adopt("--bring-up")
    assert code == 1
    assert err.endswith("wg0.key holds another key than wg0 has. With --again it is replaced\n")

    assert site.adopt("--bring-up", "--again")[0] == 0
    assert (site.directory / "wg0.key").read_text().strip() == site.keys.private


def test_what_the_daemon_would_refuse_is_not_written(site: Site) -> None:
    """A worker's daemon makes no interface."""
    site.configured()
    site.file.write_text(f'{CONFIGURATION}role = "worker"\n')
    before = site.file.read_bytes()

    code, _, err = site.adopt("--bring-up")

    assert code == 1
    assert "nothing was written: the daemon would refuse it: " in err
    assert site.file.read_bytes() == before
    assert sorted(path.name for path in site.directory.iterdir()) == ["state", "sync.toml"]


def test_without_a_configuration_a_draft_is_written(site: Site) -> None:
    """With what was found; what only the operator knows is left open, and said."""
    code, out, _ = site.adopt("--json")

    said = json.loads(out)
    assert code == 0
    assert (said["complete"], said["written"], said["peer_set_known"]) == (False, True, False)
    assert said["next"][0].startswith(f"fill in what {site.file} leaves open; or have a bundle made")
    assert 'interface = "wg0"' in site.file.read_text().splitlines()

    assert site.adopt("--bring-up")[0] == 0, "a draft may be completed before it is whole"


def test_a_dry_run_writes_nothing(site: Site) -> None:
    """Nor does it make a folder."""
    site.directory /= "etc"

    code, out, _ = site.adopt("--bring-up", "--dry-run")

    assert code == 0
    assert f"would be written: {site.file}" in out
    assert not site.directory.exists()


def test_an_interface_without_a_key_is_refused(site: Site) -> None:
    """Enrolment gives it one."""
    site.device = Device("wg0", None, 0, None, ())

    code, _, err = site.adopt()

    assert (code, err) == (
        1,
        "wgfleet-sync: wg0 has no private key yet: `wgfleet-sync enroll` gives it one, or `wg set`\n",
    )


@pytest.mark.parametrize(
    ("maker", "advice"),
    [
        (Maker("systemd-networkd", "/x.network"), "ManageForeignRoutingPolicyRules=no"),
        (Maker("NetworkManager", "home"), "whenever home is activated or reapplied"),
        (
            Maker("NetworkManager", "home", peer_routes=True),
            "`nmcli connection modify home wireguard.peer-routes no`",
        ),
    ],
)
def test_what_each_maker_would_undo_is_said(site: Site, maker: Maker, advice: str) -> None:
    """With what to do about it."""
    site.makers = (maker,)

    _, out, _ = site.adopt("--json")

    assert any(advice in fight for fight in json.loads(out)["fights"])
