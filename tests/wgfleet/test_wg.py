"""Tests of wgfleet/wg.py: with programs that fail on demand, then with a real userspace WireGuard."""

import dataclasses
import functools
import os
import shlex
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.host import Host
from tests.lab.keys import new_key_pair
from tests.lab.launch import Launcher
from tests.lab.programs import program, search_path
from tests.lab.wireguard import Interface, Userspace
from tests.wgfleet.model import after, owners
from wgfleet import wg
from wgfleet.device import Device, Peer
from wgfleet.diff import Kind, PeerChange, WantedPeer
from wgfleet.dump import DumpError
from wgfleet.wg import WgError, read_device, set_peers

PRIVATE_KEY = "ADF95uL/JY/n09nB5sYcr06+qnWfF7X37bWe56G4RnI="
PUBLIC_KEY = "yH2oSLVpkEo9q4qfKXqTTnFVZ6Duzm62P+GZGDyGPTo="

UPDATE = PeerChange(Kind.UPDATE, PUBLIC_KEY, allowed_ips=("0.0.0.0/0",))

MakeProgram = Callable[[str], None]


@pytest.fixture
def wg_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProgram:
    """Makes a script the `wg` of this test."""

    def make(script: str) -> None:
        path = tmp_path / "wg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return make


def failure(interface: str = "wg0") -> WgError:
    """The error that reading this interface ends in."""
    with pytest.raises(WgError) as caught:
        read_device(interface)
    return caught.value


def test_a_dump_is_asked_for_by_name_and_read(wg_is: MakeProgram) -> None:
    """`wg show wg0 dump`, and nothing of other interfaces."""
    wg_is(f"""[ "$*" = "show wg0 dump" ] && printf '{PRIVATE_KEY}\\t{PUBLIC_KEY}\\t51820\\toff\\n'""")

    assert read_device("wg0") == Device("wg0", PUBLIC_KEY, 51820, None, ())


def test_changes_are_one_call_in_their_order(wg_is: MakeProgram, tmp_path: Path) -> None:
    """However many there are, so that nothing can come in between."""
    wg_is(f'echo "$@" >> {tmp_path}/calls')

    set_peers("wg0", [UPDATE, PeerChange(Kind.REMOVE, "other")])

    expected = f"set wg0 peer {PUBLIC_KEY} allowed-ips 0.0.0.0/0 peer other remove\n"
    assert (tmp_path / "calls").read_text() == expected


def test_no_changes_are_no_call(wg_is: MakeProgram) -> None:
    """Not even a failing `wg` is noticed."""
    wg_is("exit 1")

    set_peers("wg0", [])


def test_a_name_that_does_not_resolve_is_not_waited_for(wg_is: MakeProgram) -> None:
    """By default `wg set` tries again for more than a minute, and the daemon would stand still."""
    wg_is('[ "$WG_ENDPOINT_RESOLUTION_RETRIES" = 0 ]')

    set_peers("wg0", [UPDATE])


def test_an_unreadable_dump_is_no_device(wg_is: MakeProgram) -> None:
    """Bytes that are no text at all end in an error about the dump, which does not hold them."""
    wg_is(f"printf '{PRIVATE_KEY}\\377\\n'")

    with pytest.raises(DumpError, match="line 1: 1 fields, expected 4"):
        read_device("wg0")


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("No such device", "; is the interface up? `ip link show wg0`"),
        (
            "Protocol not supported",
            "; is the interface up? `ip link show wg0`; a userspace one is seen by root only",
        ),
        ("Operation not permitted", "; run as root or with CAP_NET_ADMIN"),
        (
            "Permission denied",
            "; a userspace WireGuard's socket is root's: run as root or with CAP_DAC_OVERRIDE",
        ),
        ("Something new", ""),
    ],
)
def test_a_failure_says_what_wg_said_and_what_to_do(wg_is: MakeProgram, reason: str, advice: str) -> None:
    """For each way in which `wg` is known to fail."""
    wg_is(f"echo 'Unable to access interface: {reason}' >&2; exit 1")

    assert str(failure()) == f"`wg show wg0` failed: Unable to access interface: {reason}{advice}"


def test_a_missing_program_is_said_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next step is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert str(failure()) == "there is no program `wg` here: install the package wireguard-tools"


def test_a_program_that_cannot_be_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that nobody may execute is an error of `wg`, not a stranger's exception."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "wg").touch(mode=0o644)

    assert str(failure()) == "`wg` cannot be run: Permission denied"


def test_a_wg_that_hangs_is_given_up(wg_is: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon goes on, and the text says where to look."""
    monkeypatch.setattr(wg, "TIMEOUT_SECONDS", 0.2)  # The real one would make this test as slow.
    wg_is(f"printf '{PRIVATE_KEY}'; while :; do :; done")
    began = time.monotonic()

    error = failure()

    assert str(error) == (
        "`wg show wg0` gave no answer in 0.2 s: is the userspace WireGuard behind the interface stopped?"
    )
    assert time.monotonic() - began < 5
    assert PRIVATE_KEY not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "script",
    [
        f"echo 'Key is not the correct length or format: `{PRIVATE_KEY}' >&2; exit 1",
        f"echo 'Key is not the correct length or format: `{PRIVATE_KEY[:-1]}' >&2; exit 1",
        f"echo '{PRIVATE_KEY[2:]}: {PRIVATE_KEY}{PRIVATE_KEY}' >&2; exit 1",
        f"printf '{PRIVATE_KEY}\\t{PUBLIC_KEY}\\t51820\\toff\\n'; exit 1",
        f"printf '{PRIVATE_KEY}\\t{PUBLIC_KEY}\\t51820\\toff\\n'; kill -SEGV $$",
    ],
)
def test_no_failure_shows_a_secret(wg_is: MakeProgram, script: str) -> None:
    """Whatever `wg` prints, and where: whole, cut short or with its dump half done."""
    wg_is(script)

    said = "".join(traceback.format_exception(failure()))

    assert PRIVATE_KEY[2:40] not in said


def test_a_secret_is_replaced_by_what_it_is(wg_is: MakeProgram) -> None:
    """The rest of what `wg` said stays."""
    wg_is(f"echo 'Key is not the correct length: {PRIVATE_KEY}, line 3' >&2; exit 1")

    assert str(failure()) == "`wg show wg0` failed: Key is not the correct length: (a key), line 3"


def test_a_failure_names_the_peer_that_we_named(wg_is: MakeProgram) -> None:
    """A public key that was asked for is what one needs to know."""
    wg_is(f"echo 'Unable to parse: {PUBLIC_KEY}' >&2; exit 1")

    with pytest.raises(WgError) as caught:
        set_peers("wg0", [UPDATE])

    assert str(caught.value) == f"`wg set wg0` failed: Unable to parse: {PUBLIC_KEY}"


# With a real userspace WireGuard, on a machine of its own.

A, B = (new_key_pair().public for _ in "AB")
KEYS = new_key_pair()
HERE = "192.0.2.1:51820"
REAL_WG = shutil.which("wg", path=search_path()) or "wg"
"""Found before a test puts another in its way."""
NOBODY = ("--reuid", "65534", "--regid", "65534", "--clear-groups")


@pytest.fixture
def real(wg_is: MakeProgram) -> Iterator[Interface]:
    """A wg0 with the peers A, which carries everything, and B; `wg` is the real one, on its machine."""
    with Launcher() as launcher:
        host = Host(launcher, "alone", "")
        host.wait()
        peers = [
            WantedPeer(A, HERE, ("10.0.0.1/32", "0.0.0.0/0"), 25),
            WantedPeer(B, None, ("10.0.0.2/32", "fd00::2/128"), None),
        ]
        carrier = Userspace(host, "wg0")
        interface = Interface(
            host, "wg0", KEYS, [], carrier, listen_port=51820, firewall_mark=0xCA6C, peers=peers
        )
        interface.start()
        wg_is(run_as(host))
        yield interface


def run_as(host: Host, *arguments: str) -> str:
    """A script that is `wg` on this machine; the arguments are setpriv's, which takes privileges away."""
    return f'exec {shlex.join(host.inside([program("setpriv"), *arguments, REAL_WG]))} "$@"'


def having(capabilities: str) -> tuple[str, ...]:
    """Arguments of setpriv that keep these through the change of user."""
    return ("--inh-caps", capabilities, "--ambient-caps", capabilities) if capabilities else ()


def stripped(device: Device) -> Device:
    """The device without what comes by itself: counters, and the order of prefixes and peers."""
    peers = [
        dataclasses.replace(peer, allowed_ips=tuple(sorted(peer.allowed_ips)), tx_bytes=0)
        for peer in device.peers
    ]
    return dataclasses.replace(device, peers=tuple(sorted(peers, key=lambda peer: peer.public_key)))


@pytest.mark.system
@pytest.mark.usefixtures("real")
def test_a_real_interface_is_read() -> None:
    """What was configured is what is read."""
    a = Peer(A, HERE, ("10.0.0.1/32", "0.0.0.0/0"), None, 0, 0, 25)
    b = Peer(B, None, ("10.0.0.2/32", "fd00::2/128"), None, 0, 0, None)

    assert stripped(read_device("wg0")) == stripped(Device("wg0", KEYS.public, 51820, 0xCA6C, (a, b)))


@pytest.mark.system
@pytest.mark.usefixtures("real")
def test_a_prefix_is_moved_by_giving_it_to_its_new_owner() -> None:
    """One call that names B only, and A has lost it."""
    set_peers("wg0", [PeerChange(Kind.UPDATE, B, allowed_ips=("10.0.0.2/32", "0.0.0.0/0"))])

    expected = {"10.0.0.1/32": A, "10.0.0.2/32": B, "0.0.0.0/0": B}
    assert owners(read_device("wg0")) == expected


@pytest.mark.system
@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    "few", [wg.FEW, 0, 1], ids=["in one call", "each by a file or a call", "in several files"]
)
def test_the_model_of_wireguard_is_right(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding, swapping, emptying, roaming, silencing and removing do to a real interface what the model says.

    However many they are: the interface's own key and port stay as they are, too.
    """
    monkeypatch.setattr(wg, "FEW", max(few, 1))
    monkeypatch.setattr(wg, "AT_ONCE", 1 if few == 1 else wg.AT_ONCE)
    c = new_key_pair().public
    changes = [
        PeerChange(Kind.ADD, c, HERE, ("10.0.0.3/32", "10.0.0.1/32"), 10),
        PeerChange(Kind.UPDATE, A, allowed_ips=("10.0.0.2/32", "10.0.0.3/32")),
        PeerChange(Kind.UPDATE, B, "[2001:db8::1]:51820", ("0.0.0.0/0",), 25),
        PeerChange(Kind.UPDATE, c, allowed_ips=()),
        PeerChange(Kind.UPDATE, A, persistent_keepalive=0),
        PeerChange(Kind.REMOVE, B),
    ]
    expected = functools.reduce(after, changes, read_device("wg0"))

    set_peers("wg0", changes)

    assert stripped(read_device("wg0")) == stripped(expected)
    assert wg.read_keys("wg0") == {peer.public_key for peer in expected.peers}


@pytest.mark.system
def test_an_interface_is_given_a_key_from_a_file(real: Interface, tmp_path: Path) -> None:
    """A new one each time, which stands on no command line."""
    file = tmp_path / "key"
    file.write_text(wg.new_private_key())
    assert file.read_text() != wg.new_private_key()

    wg.set_private_key("wg0", file)

    assert read_device("wg0").public_key == real.host.run("wg", "pubkey", given=file.read_text()).strip()


@pytest.mark.system
@pytest.mark.usefixtures("real")
def test_an_interface_that_is_not_there_is_said() -> None:
    """With the command that shows whether it is."""
    assert "; is the interface up? `ip link show wg7`" in str(failure("wg7"))


@pytest.mark.system
def test_an_interface_that_died_is_said(real: Interface) -> None:
    """A killed userspace WireGuard leaves its socket's file behind, which is no interface."""
    real.kill()

    assert "; is the interface up? `ip link show wg0`" in str(failure())


@pytest.mark.system
def test_an_interface_that_hangs_is_given_up(real: Interface, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped userspace WireGuard answers nobody; the daemon goes on."""
    monkeypatch.setattr(wg, "TIMEOUT_SECONDS", 0.5)  # The real one would make this test as slow.
    real.freeze()

    assert "gave no answer in 0.5 s" in str(failure())


@pytest.mark.system
@pytest.mark.parametrize("capabilities", ["", "+net_admin"])
def test_a_userspace_socket_is_closed_to_others(
    real: Interface, wg_is: MakeProgram, capabilities: str
) -> None:
    """CAP_NET_ADMIN, which is all that the kernel's WireGuard asks for, does not open it; the text says what does."""
    real.host.run("chmod", "755", "/var/run/wireguard")  # As it is outside the lab.
    wg_is(run_as(real.host, *NOBODY, *having(capabilities)))

    expected = "; a userspace WireGuard's socket is root's: run as root or with CAP_DAC_OVERRIDE"
    assert str(failure()).endswith(expected)


@pytest.mark.system
def test_a_userspace_socket_opens_to_the_capability_that_is_named(
    real: Interface, wg_is: MakeProgram
) -> None:
    """What the error tells to do helps."""
    wg_is(run_as(real.host, *NOBODY, *having("+net_admin,+dac_override")))

    assert read_device("wg0").public_key == KEYS.public
