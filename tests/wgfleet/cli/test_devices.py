"""Tests of wgfleet/cli/devices.py: against a receiver that runs."""

import asyncio
import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno

from tests.failover_receiver.running import Running
from tests.failover_receiver.streams import add
from tests.lab.keys import new_key_pair
from tests.wgfleet.cli.operating import Run, operating
from wgfleet.quick import plain
from wgfleet.wgconf import parse

KEY = new_key_pair().public
NO_QR = "--qr needs the private key, which this command has only if it makes it: leave out --public-key, or use --config"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    """One that serves, with pools and two workers that are not proven yet."""
    with Running(tmp_path / "receiver", client_pools=["10.99.0.0/16", "fd99::/64"]) as running:

        async def fill() -> None:
            async with running.ask() as operator:
                await add(
                    operator, "fra1", 1, tunnel_addresses=["10.99.255.1"], dns=["10.99.255.1"], mtu=1380
                )
                both = ["0.0.0.0/0", "::/0"]
                await add(operator, "fra2", 2, tunnel_addresses=["10.99.255.2"], allowed_ips=both)

        asyncio.run(fill())
        yield running


@pytest.fixture
def wgfleet(receiver: Running) -> Run:
    """Runs the command as an operator would."""
    return operating(receiver.url, receiver.directory, "client")


def fine(ran: subprocess.CompletedProcess[str]) -> str:
    """What it printed."""
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def secret(text: str) -> str:
    """The private key in a configuration."""
    (line,) = [line for line in text.splitlines() if line.startswith("PrivateKey = ")]
    return line.removeprefix("PrivateKey = ")


def test_a_device_gets_a_file_with_a_key_that_only_it_has(
    wgfleet: Run, receiver: Running, tmp_path: Path
) -> None:
    """The receiver knows the public half; the other is in the file alone, which only its owner reads."""
    file = tmp_path / "phone1.conf"

    ran = wgfleet("add", "phone1", "--config", file, "--worker", "fra1")

    text = file.read_text()
    made = parse(text)
    known = json.loads(fine(wgfleet("list", "--json")))["clients"]["phone1"]
    assert made.interface is not None
    assert (known["public_key"], known["addresses"]) == (made.interface.public_key, ["10.99.0.1", "fd99::1"])
    assert made.interface.addresses == ("10.99.0.1", "fd99::1")
    assert "\nDNS = 10.99.255.1\nMTU = 1380\n" in text
    assert [peer.name for peer in made.peers] == ["fra1"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret(text) not in fine(ran) + ran.stderr + json.dumps(known)
    stored = b"".join(one.read_bytes() for one in receiver.directory.iterdir() if one.is_file())
    assert secret(text).encode() not in stored


def test_what_such_a_device_cannot_do_is_said_on_stderr(wgfleet: Run) -> None:
    """Not on stdout, which is the file."""
    ran = wgfleet("add", "phone1", "--config", "-", "--worker", "fra1")

    assert fine(ran).startswith(
        "# phone1, through fra1. It does not fail over to another worker by itself.\n"
    )
    assert ran.stderr == (
        "wgfleet: phone1's private key was made here and is kept nowhere: whoever has this configuration is phone1\n"
        "wgfleet: phone1 uses fra1 alone and does not fail over: if fra1 is gone for longer, make another with "
        "--new-key --worker OTHER. Nor does it notice a drain, or tell anybody what it uses\n"
        "wgfleet: warning: fra1 is joining (registered) at present\n"
        "wgfleet: warning: fra1 carries no IPv6: the device's IPv6 traffic goes outside the tunnel\n"
    )


def test_a_device_whose_key_was_made_elsewhere_puts_it_in_itself(wgfleet: Run) -> None:
    """The file has its place."""
    ran = wgfleet("add", "router1", "--public-key", KEY, "--config", "-", "--worker", "fra2")

    assert "\n# PrivateKey = the device's own\n" in fine(ran)
    assert ran.stderr.startswith("wgfleet: put router1's own private key into it")
    assert "IPv6" not in ran.stderr
    assert json.loads(fine(wgfleet("list", "--json")))["clients"]["router1"]["public_key"] == KEY


def test_without_a_worker_devices_are_spread_by_their_names(wgfleet: Run) -> None:
    """None is named, and all workers are in one state."""
    found = {fine(wgfleet("add", f"phone{n}", "--config", "-")).split(".")[0].split()[-1] for n in range(8)}

    assert found == {"fra1", "fra2"}


def test_the_code_in_the_terminal_is_the_file_without_its_comments(wgfleet: Run, tmp_path: Path) -> None:
    """Both at once, so that they can be compared here."""
    file = tmp_path / "phone1.conf"

    drawn = fine(wgfleet("add", "phone1", "--config", file, "--qr"))

    code = segno.make_qr(plain(file.read_text()), error="l")
    assert drawn.count("\n") == (code.symbol_size(border=4)[1] + 1) // 2
    assert secret(file.read_text()) not in drawn


def test_for_programs_no_private_key_is_printed(wgfleet: Run, tmp_path: Path) -> None:
    """Where the file is, and which worker it is for."""
    file = tmp_path / "phone1.conf"

    said = json.loads(fine(wgfleet("add", "phone1", "--config", file, "--json", "--worker", "fra2")))

    assert (said["name"], said["worker"], said["config"]) == ("phone1", "fra2", str(file))
    assert secret(file.read_text()) not in json.dumps(said)


def test_a_known_device_is_not_cut_off_by_mistake(wgfleet: Run) -> None:
    """A new file is a new key: it has to be said. Its addresses stay."""
    first = fine(wgfleet("add", "phone1", "--config", "-", "--worker", "fra1"))
    refused = wgfleet("add", "phone1", "--config", "-", "--worker", "fra2")
    again = fine(wgfleet("add", "phone1", "--config", "-", "--worker", "fra2", "--new-key"))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "it would be cut off; choose another name, or say that it has a new key" in refused.stderr
    assert secret(first) != secret(again)
    assert "\nAddress = 10.99.0.1/32, fd99::1/128\n" in again
    assert "\n# fra2\n" in again


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "--public-key is missing; or --config or --qr, which make a key pair"),
        (("--public-key", KEY, "--worker", "fra1"), "--worker belongs to --config or --qr: other clients choose themselves"),
        (("--public-key", KEY, "--qr"), NO_QR),
        (("--qr", "--json"), "--json prints no private key: use --config FILE"),
        (("--config", "-", "--json"), "--json prints no private key: use --config FILE"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_made(
    wgfleet: Run, words: tuple[str, ...], why: str
) -> None:
    """With 2, as argparse does."""
    ran = wgfleet("add", "phone1", *words)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.endswith(f"error: {why}\n")
    assert json.loads(fine(wgfleet("list", "--json")))["clients"] == {}


def test_a_file_that_is_there_and_a_worker_that_is_not_are_refused_before_anything_is_made(
    wgfleet: Run, tmp_path: Path
) -> None:
    """Nobody is added whose file could not be written."""
    file = tmp_path / "phone1.conf"
    file.touch()
    there = wgfleet("add", "phone1", "--config", file)
    unknown = wgfleet("add", "phone1", "--config", "-", "--worker", "fra9")

    assert (there.returncode, unknown.returncode) == (1, 1)
    assert "is already there" in there.stderr
    assert unknown.stderr == "wgfleet: there is no worker 'fra9': known are fra1, fra2\n"
    assert json.loads(fine(wgfleet("list", "--json")))["clients"] == {}
