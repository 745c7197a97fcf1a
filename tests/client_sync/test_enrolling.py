"""Tests of client_sync/enrolling.py and joining.py: what is done before the bundle is used, and what after."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from threading import Thread

import pytest

from client_sync import keying
from client_sync.__main__ import main
from client_sync.config import LayoutKind, Role, load
from tests.client_sync.receiver import FakeReceiver, Request, answer
from tests.lab.keys import new_key_pair
from wgfleet.bundle import Bundle
from wgfleet.device import Device
from wgfleet.signing import Signer

KEY = Signer.generate().public_text
PUBLIC = "yH2oSLVpkEo9q4qfKXqTTnFVZ6Duzm62P+GZGDyGPTo="
SECRET = "secret-of-the-bundle"
JOINED = {"name": "ann", "role": "client", "token": "the-token", "tunnel_addresses": ["10.99.0.7", "fd99::7"]}


@dataclass
class Receiver:
    """Answers with this, from a thread of its own: the command has an event loop of its own."""

    status: str = "200 OK"
    body: bytes = json.dumps(JOINED).encode()
    on_asked: Callable[[], object] = object

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Answer."""
        del request
        self.on_asked()
        writer.write(answer(self.status, self.body))

    def __post_init__(self) -> None:
        """Listen."""
        self.loop = asyncio.new_event_loop()
        self.there = FakeReceiver(self)
        self.thread = Thread(target=self.loop.run_forever)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.there.__aenter__(), self.loop).result(10)

    def close(self) -> None:
        """Listen no more."""
        asyncio.run_coroutine_threadsafe(self.there.__aexit__(None, None, None), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that lets in."""
    one = Receiver()
    yield one
    one.close()


@dataclass
class Scene:
    """A machine whose interface has a key, and a bundle."""

    directory: Path
    bundle: Bundle
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def home(self) -> Path:
        """Where the files are written."""
        return self.directory / "etc"

    def enroll(self, *more: str, where: str | None = None) -> tuple[int, str]:
        """Run the command; its exit status, and all that it says."""
        file = self.directory / "bundle"
        file.write_text(self.bundle.to_text() + "\n")
        words = [
            "enroll",
            where or str(file),
            "--directory",
            str(self.home),
            "--state-directory",
            str(self.directory / "state"),
        ]
        self.monkeypatch.setattr(sys, "argv", ["wgfleet-sync", *words, *more])
        code = main()
        said = self.capsys.readouterr()
        assert SECRET not in said.out + said.err
        assert "the-token" not in said.out + said.err
        return code, said.out + said.err

    def files(self) -> dict[str, bytes]:
        """What is there."""
        return {file.name: file.read_bytes() for file in self.home.iterdir()} if self.home.exists() else {}


@pytest.fixture
def scene(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Scene:
    """The usual one."""
    monkeypatch.setattr(keying, "links", lambda: {"wg0": True})
    monkeypatch.setattr(keying, "WG_QUICK", tmp_path / "wireguard")
    monkeypatch.setattr(keying, "read_device", lambda name: Device(name, PUBLIC, 51820, None, ()))
    bundle = Bundle("example", (receiver.there.url,), "ann", "client", SECRET, time.time() + 3600, (KEY,))
    return Scene(tmp_path, bundle, capsys, monkeypatch)


def test_a_client_joins_and_is_told_what_is_left_to_do(scene: Scene, receiver: Receiver) -> None:
    """Secret and public key are sent once; the configuration is one that the daemon takes."""
    code, said = scene.enroll()

    assert code == 0
    (asked,) = receiver.there.requests
    assert asked.line == "POST /v1/enrol HTTP/1.1"
    assert json.loads(asked.body) == {"secret": SECRET, "public_key": PUBLIC}
    assert "Address = 10.99.0.7/32, fd99::7/128" in said
    assert scene.files().keys() == {"sync.toml", "token"}
    assert scene.files()["token"] == b"the-token\n"
    assert {file.stat().st_mode & 0o777 for file in scene.home.iterdir()} == {0o600}
    config = load(scene.home / "sync.toml")
    assert (config.name, config.role, config.trusted_keys) == ("ann", Role.CLIENT, (KEY,))


def test_a_worker_joins_as_a_worker(scene: Scene) -> None:
    """By the bundle's own word."""
    scene.bundle = replace(scene.bundle, role="worker", name="fra1")

    code, said = scene.enroll()

    assert (code, load(scene.home / "sync.toml").role) == (0, Role.WORKER)
    assert "fra1 has joined the fleet example as a worker." in said


def test_a_monitoring_host_joins_as_a_vantage(scene: Scene) -> None:
    """Its interface is its own; the workers' peers there are the daemon's from now on."""
    scene.bundle = replace(scene.bundle, role="vantage", name="mon1")

    code, said = scene.enroll()

    assert (code, load(scene.home / "sync.toml").role) == (0, Role.VANTAGE)
    assert "mon1 has joined the fleet example as a vantage." in said
    assert "no worker's [Peer] in /etc/wireguard/wg0.conf any more" in said


def test_the_bundle_comes_from_standard_input_too(scene: Scene) -> None:
    """So it need not be on the disk."""
    scene.monkeypatch.setattr(sys, "stdin", StringIO(scene.bundle.to_text()))

    assert scene.enroll(where="-")[0] == 0


def test_the_bundle_itself_on_the_command_line_is_refused(scene: Scene, receiver: Receiver) -> None:
    """Every user of the machine has seen it: it is worth nothing any more. It is not said again."""
    code, said = scene.enroll(where=scene.bundle.to_text())

    assert code == 1
    assert "wgfleet enrolment cancel" in said
    assert receiver.there.requests == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"ca": "no certificate"}, "the bundle's ca is no certificate, and the bundle was not used"),
        ({"signing_keys": ("x",)}, "what the bundle says cannot be used, and it was not"),
    ],
)
def test_what_can_fail_fails_before_the_bundle_is_used(
    scene: Scene, receiver: Receiver, broken: dict[str, object], said: str
) -> None:
    """And leaves nothing behind."""
    scene.bundle = replace(scene.bundle, **broken)  # type: ignore[arg-type] # Each is what its field wants.

    code, told = scene.enroll()

    assert code == 1
    assert said in told
    assert receiver.there.requests == []
    assert scene.files() == {}


def test_what_is_there_is_replaced_only_with_force_and_only_once_it_worked(
    scene: Scene, receiver: Receiver
) -> None:
    """A machine that cannot join goes on as what it is."""
    scene.enroll()
    before = scene.files()
    code, said = scene.enroll()
    assert (code, "With --force they are replaced" in said) == (1, True)
    receiver.status, receiver.body = "401 Unauthorized", b'{"error": "it was used"}'

    code, said = scene.enroll("--force")

    assert (code, "does not take the bundle: it was used" in said) == (1, True)
    assert scene.files() == before
    receiver.status, receiver.body = "200 OK", json.dumps(JOINED | {"token": "another"}).encode()
    assert scene.enroll("--force")[0] == 0
    assert scene.files()["token"] == b"another\n"


def test_what_was_added_to_the_configuration_stays_there(scene: Scene) -> None:
    """To enrol again is how a token is replaced: that must not open a kill switch. The earlier file is kept, too."""
    scene.enroll()
    file = scene.home / "sync.toml"
    file.write_text(before := file.read_text() + 'kill_switch = true\npolicy = "latency"\n')

    code, said = scene.enroll("--force")

    assert (code, file.read_text(), scene.files()["sync.toml.before"]) == (0, before, before.encode())
    assert "as it was         kill_switch, policy in sync.toml" in said


def test_an_expired_bundle_is_said_to_be(scene: Scene, receiver: Receiver) -> None:
    """By this machine's clock, which may be wrong: so the receiver is asked all the same."""
    scene.bundle = replace(scene.bundle, expires_at=time.time() - 600)
    receiver.status, receiver.body = "401 Unauthorized", b'{"error": "it opens nothing"}'

    _, said = scene.enroll()

    assert "it expired 10 minutes ago" in said
    assert "`wgfleet client enrol ann`" in said
    assert "If a newer one was made for ann, only that is good" in said


def test_a_receiver_that_is_not_there_leaves_the_bundle_good_and_the_next_is_asked(scene: Scene) -> None:
    """None is left out, and each has its reason."""
    gone = "http://127.0.0.1:9"
    scene.bundle = replace(scene.bundle, receivers=(gone, *scene.bundle.receivers))
    assert scene.enroll()[0] == 0

    scene.bundle = replace(scene.bundle, receivers=(gone,))
    code, said = scene.enroll("--force")

    assert code == 1
    assert f"no receiver can be reached, and the bundle is still good:\n  {gone}: " in said


def test_an_answer_without_a_token_is_not_taken_for_one(scene: Scene, receiver: Receiver) -> None:
    """And is not quoted."""
    receiver.body = b'{"token": 7}'

    code, said = scene.enroll()

    assert code == 1
    assert "the answer has no token" in said
    assert scene.files() == {}


def test_an_interface_without_a_key_is_given_one(scene: Scene) -> None:
    """From a file that its owner alone reads; a second try takes the same."""
    device = [Device("wg0", None, 51820, None, ())]
    given: list[str] = []

    def take(_interface: str, file: Path) -> None:
        given.append(file.read_text())
        assert file.stat().st_mode & 0o777 == 0o600
        device[0] = replace(device[0], public_key=PUBLIC)

    scene.monkeypatch.setattr(keying, "read_device", lambda _name: device[0])
    scene.monkeypatch.setattr(keying, "new_private_key", lambda: "private")
    scene.monkeypatch.setattr(keying, "set_private_key", take)

    code, said = scene.enroll()
    device[0] = replace(device[0], public_key=None)
    scene.monkeypatch.setattr(keying, "new_private_key", lambda: "another")
    scene.enroll("--force")

    assert (code, given) == (0, ["private\n", "private\n"])
    assert f"PostUp = wg set %i private-key {scene.home / 'wg0.key'}" in said


PAIR = new_key_pair()


@pytest.fixture
def without_interface(scene: Scene) -> Scene:
    """A machine that has none."""
    scene.monkeypatch.setattr(keying, "links", dict)
    scene.monkeypatch.setattr(keying, "new_private_key", lambda: PAIR.private)
    return scene


def test_a_client_without_an_interface_gets_what_the_daemon_needs_to_make_it(
    without_interface: Scene, receiver: Receiver
) -> None:
    """The key is made here and sent by its public half; the addresses are those that the receiver gave."""
    code, said = without_interface.enroll()

    assert code == 0
    (asked,) = receiver.there.requests
    assert json.loads(asked.body)["public_key"] == PAIR.public
    config = load(without_interface.home / "sync.toml")
    assert (config.interface, config.layout) == ("wg0", LayoutKind.SINGLE)
    assert config.addresses == ("10.99.0.7", "fd99::7")
    assert config.private_key_file == without_interface.home / "wg0.key"
    assert config.private_key_file.read_text() == f"{PAIR.private}\n"
    assert config.private_key_file.stat().st_mode & 0o777 == 0o600
    assert PAIR.private not in said
    assert "wg0; the daemon makes it whenever it is gone" in said
    assert "Address =" not in said


def test_a_client_may_have_an_interface_for_each_worker(without_interface: Scene) -> None:
    """Whatever interfaces there are: these have names of their own."""
    code, said = without_interface.enroll("--layout", "per-worker")

    config = load(without_interface.home / "sync.toml")
    assert (code, config.interface, config.layout) == (0, "wg", LayoutKind.PER_WORKER)
    assert "wg-… for each worker" in said


def test_a_client_that_enrols_again_stays_on_the_interface_that_its_daemon_made(
    without_interface: Scene,
) -> None:
    """It is there by then, and is the daemon's all the same, with its key and its mark."""
    without_interface.enroll()
    file = without_interface.home / "sync.toml"
    file.write_text(f"{file.read_text()}firewall_mark = 1234\n")
    without_interface.monkeypatch.setattr(keying, "links", lambda: {"wg0": True})
    without_interface.monkeypatch.setattr(keying, "new_private_key", lambda: "another")

    stands = keying.footing("client", None, None, without_interface.home)

    assert stands.said(("10.99.0.8",)) == {
        "private_key_file": str(without_interface.home / "wg0.key"),
        "addresses": ("10.99.0.8",),
        "firewall_mark": 1234,
    }
    assert keying.own_key(stands, without_interface.home) == keying.Key(PAIR.public, 1234)


def test_an_interface_of_wg_quicks_that_is_down_is_not_made_anew(
    without_interface: Scene, receiver: Receiver
) -> None:
    """It has a key and a maker of its own: both would fight for the name."""
    (without_interface.directory / "wireguard").mkdir()
    (without_interface.directory / "wireguard" / "wg0.conf").touch()

    code, said = without_interface.enroll()

    assert (code, receiver.there.requests) == (1, [])
    assert "`wg-quick up wg0` first" in said


@pytest.mark.parametrize("role", ["worker", "vantage"])
def test_a_worker_or_vantage_without_its_interface_is_told_what_it_needs(
    without_interface: Scene, receiver: Receiver, role: str
) -> None:
    """Before the bundle is used, and not in the words of `wg`, which says that a protocol is not supported."""
    without_interface.bundle = replace(without_interface.bundle, role=role, name="fra1")

    code, said = without_interface.enroll()

    assert (code, receiver.there.requests) == (1, [])
    assert f"there is no interface wg0 here, which a {role} needs, and the bundle was not used" in said
    assert "`wg-quick up wg0`" in said


def test_a_layout_is_for_clients(scene: Scene, receiver: Receiver) -> None:
    """Said before the bundle is used."""
    scene.bundle = replace(scene.bundle, role="worker", name="fra1")

    code, said = scene.enroll("--layout", "per-worker")

    assert (code, receiver.there.requests) == (1, [])
    assert "--layout is for clients, and the bundle is for a worker: leave it out" in said


def test_an_answer_without_an_address_is_said_where_one_is_needed(
    without_interface: Scene, receiver: Receiver
) -> None:
    """No configuration is left that the daemon would refuse."""
    receiver.body = json.dumps(JOINED | {"tunnel_addresses": []}).encode()

    code, said = without_interface.enroll()

    assert (code, "the receiver gave no tunnel address" in said) == (1, True)
    assert without_interface.files().keys() == {"wg0.key"}
