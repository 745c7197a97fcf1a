"""Tests of client_sync/restarting.py: when the interface is restarted, and when it is not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from client_sync.cache import ManagedPeers
from client_sync.endpoints import Endpoints
from client_sync.quickfile import keys
from client_sync.restarting import AGAIN_SECONDS, DUE, Quick, Restarting, run_command
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.device import named
from tests.client_sync.samples import ALL, public_key, worker
from wgfleet.device import Device, Peer

TWO = named(worker(1), worker(2))
OURS = 51820


@dataclass
class Machine:
    """wg-quick, its file, and the interface that it makes of it."""

    directory: Path
    ran: list[str] = field(default_factory=list)
    broken: str = ""
    """The command that fails."""
    now: float = 0.0

    def __post_init__(self) -> None:
        self.file = self.directory / "wg0.conf"
        self.file.write_text(f"[Interface]\nPrivateKey = x\n[Peer]\nPublicKey = {public_key(9)}\n")
        self.device = Device("wg0", "own", OURS, 7, ())

    def run(self, command: Sequence[str]) -> None:
        """As `run_command`."""
        self.ran.append(command[0])
        if command[0] == self.broken:
            raise LayoutError("it failed")
        if command[0] == "up":
            text = self.file.read_text()
            held = [worker(number) for number in (1, 2) if f"{ALL}" in _block(text, public_key(number))]
            self.device = Device(
                "wg0",
                "own",
                OURS,
                7,
                tuple(Peer(one.public_key, None, one.allowed_ips, 0, 0, 0, None) for one in held),
            )

    def layout(self) -> Restarting:
        """A daemon just started."""
        quick = Quick("wg0", self.file, [["down"], ["up"]])
        managed = ManagedPeers(self.directory)
        return Restarting(
            quick,
            self.directory,
            managed,
            Endpoints(lambda host, _port: (host,)),
            read=lambda _name: self.device,
            run=self.run,
            clock=lambda: self.now,
        )


def _block(text: str, key: str) -> str:
    return text.partition(f"PublicKey = {key}")[2].partition("[Peer]")[0]


def test_a_change_is_written_for_its_owner_only_and_the_interface_restarted_once(tmp_path: Path) -> None:
    """The same again does nothing, in this run or the next; what was there before is kept."""
    machine = Machine(tmp_path)
    former = machine.file.read_text()
    layout = machine.layout()

    layout.configure(TWO, "w1")
    layout.configure(TWO, "w1")
    machine.layout().configure(TWO, "w1")

    assert machine.ran == ["down", "up"]
    assert layout.holder(TWO) == "w1"
    assert keys(machine.file.read_text()) == {public_key(9), public_key(1), public_key(2)}
    assert machine.file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "wg0.conf.before").read_text() == former
    assert (tmp_path / "wg0.conf.before").stat().st_mode & 0o777 == 0o600


def test_a_worker_that_is_gone_leaves_and_a_strangers_peer_stays(tmp_path: Path) -> None:
    """Only what was added here is removed."""
    machine = Machine(tmp_path)
    machine.layout().configure(TWO, "w1")

    machine.layout().configure(named(worker(2)), "w2")

    assert keys(machine.file.read_text()) == {public_key(9), public_key(2)}


def test_what_cannot_be_taken_down_may_be_brought_up(tmp_path: Path) -> None:
    """It was down already."""
    machine = Machine(tmp_path, broken="down")

    machine.layout().configure(TWO, "w2")

    assert machine.layout().holder(TWO) == "w2"


def test_a_restart_that_failed_is_tried_again_after_a_while_by_the_next_daemon_too(tmp_path: Path) -> None:
    """The file is right by then, so nothing else would remind of it."""
    machine = Machine(tmp_path, broken="up")
    layout = machine.layout()
    with pytest.raises(LayoutError, match="it failed"):
        layout.configure(TWO, "w1")
    with pytest.raises(LayoutError, match=r"tried again in 10 s; the file of before is .*wg0\.conf\.before"):
        layout.holder(TWO)
    assert machine.ran == ["down", "up"]
    machine.broken = ""
    machine.now += AGAIN_SECONDS

    assert layout.holder(TWO) == "w1"
    (tmp_path / DUE).touch()
    assert machine.layout().read().peers

    assert machine.ran == ["down", "up"] * 3
    assert not (tmp_path / DUE).exists()


def test_an_interface_that_others_changed_is_restarted_from_its_file(tmp_path: Path) -> None:
    """The file says who is active, and the interface another."""
    machine = Machine(tmp_path)
    layout = machine.layout()
    layout.configure(TWO, "w1")
    machine.device = Device("wg0", "own", OURS, 7, ())

    layout.configure(TWO, "w1")

    assert machine.ran == ["down", "up"] * 2
    assert layout.holder(TWO) == "w1"


def test_nothing_is_interrupted_for_a_standby(tmp_path: Path) -> None:
    """Its session is not made anew."""
    machine = Machine(tmp_path)
    layout = machine.layout()
    layout.configure(TWO, "w1")
    machine.ran.clear()

    layout.recreate(worker(2))

    assert machine.ran == []


def test_a_file_that_cannot_be_changed_is_said(tmp_path: Path) -> None:
    """And left as it is."""
    machine = Machine(tmp_path)
    machine.file.write_text("[Interface]\nSaveConfig = true\n")

    with pytest.raises(LayoutError, match=r"wg0\.conf cannot be changed: SaveConfig = true"):
        machine.layout().configure(TWO, "w1")

    assert machine.ran == []


def test_a_command_that_fails_is_told() -> None:
    """By its name; what it prints may hold what is no business of a log's."""
    with pytest.raises(LayoutError, match="`false` failed with 1"):
        run_command(["false"])
    with pytest.raises(LayoutError, match="could not be run"):
        run_command(["/nowhere/wg-quick"])
    run_command(["true"])
