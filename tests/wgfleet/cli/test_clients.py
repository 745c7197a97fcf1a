"""Tests of wgfleet/cli/clients.py, enrol.py, adopt.py and waiting.py: against a receiver that runs."""

import base64
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from tests.client_sync.certificates import Authority
from tests.failover_receiver.parts import bearer
from tests.failover_receiver.running import Running
from tests.lab.keys import new_key_pair
from tests.wgfleet.cli.operating import Run, operating
from wgfleet.bundle import Bundle
from wgfleet.wgconf import key_digest

SERVER, PRESHARED = new_key_pair(), new_key_pair().private
PEERS = [new_key_pair().public for _ in range(6)]
WG0 = f"""\
[Interface]
Address = 10.66.0.1/24, fd66::1/64
ListenPort = 51820
PrivateKey = {SERVER.private}
PostUp = iptables -t nat -A POSTROUTING -s 10.66.0.0/24 -o eth0 -j MASQUERADE
MTU = 1420

### begin ann ###
[Peer]
PublicKey = {PEERS[0]}
AllowedIPs = 10.66.0.2/32,fd66::2/128
### end ann ###

# Client: Bob's iPhone (3f0c8b52-9b1e-4a0e-8a5d-0a1b2c3d4e5f)
[Peer]
PublicKey = {PEERS[1]}
AllowedIPs = 10.66.0.3/32
PersistentKeepalive = 25

[Peer]
# friendly_name = office
PublicKey = {PEERS[2]}
AllowedIPs = 10.66.0.4/32, 192.168.7.0/24, 10.77.0.0/16
Endpoint = 192.0.2.77:51820

[Peer]
PublicKey = {PEERS[3]}
AllowedIPs = 10.66.0.5/32
"""
LOCKED = f"""
# secretive
[Peer]
PublicKey = {PEERS[4]}
PresharedKey = {PRESHARED}
AllowedIPs = 10.66.0.6/32

# lost
[Peer]
PublicKey = {PEERS[5]}
AllowedIPs = 192.168.8.0/24
"""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    """One that serves, with pools."""
    with Running(tmp_path / "receiver", client_pools=["10.99.0.0/16", "fd99::/64"]) as running:
        yield running


@pytest.fixture
def wgfleet(receiver: Running) -> Run:
    """Runs the command as an operator would."""
    return operating(receiver.url, receiver.directory, columns=200)


@pytest.fixture
def alone() -> Run:
    """Runs the command where no receiver is needed, because it goes wrong before."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wgfleet.cli", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def wg0(tmp_path: Path) -> Path:
    """A server's configuration."""
    file = tmp_path / "wg0.conf"
    file.write_text(WG0)
    return file


def said(ran: subprocess.CompletedProcess[str], *, code: int = 0) -> Any:
    """What a command said for programs."""
    assert ran.returncode == code, ran.stderr
    return json.loads(ran.stdout)


def ack(receiver: Running, token: str, **words: Any) -> None:
    """What a client or worker says."""
    answer = httpx.post(f"{receiver.url}/v1/acks", json=words, headers=bearer(token), trust_env=False)
    assert answer.status_code == 204, answer.text


def test_a_client_is_added_listed_and_revoked(wgfleet: Run) -> None:
    """In words for people and for programs."""
    key = PEERS[0]
    added = said(
        wgfleet("client", "add", "ann", "--public-key", key, "--network", "192.168.7.0/24", "--json")
    )
    listed = wgfleet("client", "list")
    revoked = wgfleet("client", "revoke", "ann")
    refused = wgfleet("client", "add", "ann", "--public-key", key)
    again = wgfleet("client", "add", "ann", "--public-key", key, "--address", "10.6.0.2", "--again")

    assert (added["addresses"], added["networks"]) == (["10.99.0.1", "fd99::1"], ["192.168.7.0/24"])
    assert "10.99.0.1, fd99::1" in listed.stdout
    assert "not since the receiver started" in listed.stdout
    assert revoked.stdout.startswith("ann is revoked, by client list 1.")
    assert (refused.returncode, "was taken from client 'ann'" in refused.stderr) == (1, True)
    assert "10.6.0.2" in again.stdout


# Adopting.


def test_a_servers_configuration_is_adopted_with_every_key_and_address(wgfleet: Run, wg0: Path) -> None:
    """Names by their comments; a second time changes nothing; `--dry-run` never does."""
    tried = said(wgfleet("client", "import", wg0, "--dry-run", "--json"))
    before = said(wgfleet("client", "list", "--json"))["clients"]
    first = wgfleet("client", "import", wg0)
    after = said(wgfleet("client", "list", "--json"))["clients"]
    second = said(wgfleet("client", "import", wg0, "--json"))

    assert {name: (client["public_key"], client["allowed_ips"]) for name, client in after.items()} == {
        "ann": (PEERS[0], ["10.66.0.2/32", "fd66::2/128"]),
        "bob-s-iphone": (PEERS[1], ["10.66.0.3/32"]),
        "office": (PEERS[2], ["10.66.0.4/32", "192.168.7.0/24", "10.77.0.0/16"]),
        f"client-{key_digest(PEERS[3])}": (PEERS[3], ["10.66.0.5/32"]),
    }
    assert (len(tried["added"]), tried["dry_run"], before) == (4, True, {})
    assert (first.returncode, first.stdout.count("added")) == (0, 4)
    assert second["added"] == []
    assert [one["said"] for one in second["there"][:2]] == ["is there as ann", "is there as bob-s-iphone"]


def test_peers_that_cannot_be_adopted_are_named_and_the_others_taken(wgfleet: Run, wg0: Path) -> None:
    """With the reason and the line; a preshared key is given up only on demand, and never shown."""
    wg0.write_text(WG0 + LOCKED)

    refused = wgfleet("client", "import", wg0, "--json")
    taken = wgfleet("client", "import", wg0, "--json", "--without-preshared-keys")

    (secretive, lost) = said(refused, code=1)["refused"]
    assert (secretive["name"], secretive["line"], secretive["error"]) == (
        "secretive",
        31,
        "has a PresharedKey, which workers would not have: see --without-preshared-keys",
    )
    assert (lost["name"], lost["error"]) == (
        "lost",
        "has no address of its own in AllowedIPs, with /32 or /128",
    )
    assert refused.stderr == "wgfleet: 2 of 6 peers are not imported: see above\n"
    assert [one["name"] for one in said(taken, code=1)["added"]] == ["secretive"]
    assert PRESHARED not in refused.stdout + refused.stderr + taken.stdout + taken.stderr


def test_whom_the_receiver_would_refuse_keeps_nobody_else_out(wgfleet: Run, wg0: Path) -> None:
    """One was revoked, another has somebody's address: each is named with its line, in a dry run too; the others are taken."""
    wgfleet("client", "add", "ann", "--public-key", PEERS[0], "--address", "10.66.9.1")
    wgfleet("client", "revoke", "ann")
    wgfleet("client", "add", "eve", "--public-key", PEERS[5], "--address", "10.66.0.3")

    tried = said(wgfleet("client", "import", wg0, "--dry-run", "--json"), code=1)
    done = said(wgfleet("client", "import", wg0, "--json"), code=1)
    again = said(wgfleet("client", "import", wg0, "--json", "--again"), code=1)

    assert [one["name"] for one in again["added"]] == ["ann"]
    assert [(one["name"], one["line"]) for one in tried["refused"]] == [("ann", 9), ("bob-s-iphone", 15)]
    assert (tried["refused"], tried["added"]) == (done["refused"], done["added"])
    assert {one["name"] for one in done["added"]} < said(wgfleet("client", "list", "--json"))[
        "clients"
    ].keys()


def test_a_name_that_is_taken_is_refused(wgfleet: Run, wg0: Path) -> None:
    """Two machines must not become one."""
    wgfleet("client", "add", "ann", "--public-key", PEERS[5])

    (refused,) = said(wgfleet("client", "import", wg0, "--json"), code=1)["refused"]

    assert refused["error"] == (
        f"client ann is there with another key: `wgfleet client add ann --public-key {PEERS[0]} --new-key` if it has this "
        "one now; else give this peer another name in the comment above line 9"
    )


def test_a_worker_is_adopted_by_its_configuration(wgfleet: Run, wg0: Path) -> None:
    """With the public half of its key, its addresses, its port; the private half is nowhere."""
    ran = wgfleet("worker", "import", wg0, "--name", "fra1", "--endpoint", "vpn.example.com", "--endpoint",
                  "2001:db8::1", "--endpoint", "192.0.2.1:443", "--json")  # fmt: skip

    worker = said(ran)["workers"]["fra1"]
    assert worker["public_key"] == SERVER.public
    assert worker["endpoints"] == ["vpn.example.com:51820", "[2001:db8::1]:51820", "192.0.2.1:443"]
    assert (worker["tunnel_addresses"], worker["mtu"]) == (["10.66.0.1", "fd66::1"], 1420)
    assert SERVER.private not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("text", "words", "error"),
    [
        ("[Peer\n", ("client", "import"), "wg0.conf: line 1: a section, a setting or a comment was expected"),
        (
            "[Interface]\nListenPort = 1\n",
            ("worker", "import", "--name", "fra1", "--endpoint", "x"),
            "wg0.conf has no [Interface] with a PrivateKey: add the worker by `wgfleet worker add`",
        ),
        (
            f"[Interface]\nPrivateKey = {SERVER.private}\n",
            ("worker", "import", "--name", "fra1", "--endpoint", "x"),
            "--endpoint x has no port, and the file has no ListenPort: as x:51820",
        ),
        (
            f"[Interface]\nPrivateKey = {SERVER.private}\nListenPort = 1\n",
            ("worker", "import", "--name", "fra1", "--endpoint", "x"),
            "wg0.conf has no Address: say --tunnel-address",
        ),
    ],
    ids=["broken section", "no private key", "no port", "no address"],
)
def test_a_file_that_cannot_be_adopted_is_refused(
    alone: Run, wg0: Path, text: str, words: tuple[str, ...], error: str
) -> None:
    """With the line, or with what is missing; never with what stands there."""
    wg0.write_text(text)

    ran = alone(*words, wg0)

    assert ran.returncode == 1
    assert error in ran.stderr
    assert SERVER.private not in ran.stderr


# Bundles.


def test_a_bundle_is_made_out_for_a_client(wgfleet: Run, receiver: Running, tmp_path: Path) -> None:
    """To a file that only its owner reads; it names the operator's way to the receiver, and warns of it."""
    file, authority = tmp_path / "ann.bundle", Authority(tmp_path, "authority").file
    made = wgfleet(
        "client", "enrol", "ann", "--address", "10.6.0.2", "--output", file, "--ca-file", authority
    )
    bundle = Bundle.from_text(file.read_text())
    twice = wgfleet("client", "enrol", "ann", "--output", file)
    listed = said(wgfleet("enrolment", "list", "--json"))
    joined = httpx.post(
        f"{receiver.url}/v1/enrol", json={"secret": bundle.secret, "public_key": PEERS[0]}, trust_env=False
    )

    assert (made.returncode, made.stdout) == (0, f"{file}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bundle.receivers == (receiver.url,)
    assert bundle.ca == authority.read_text()
    assert "warning: the bundle says http://127.0.0.1:" in made.stderr
    assert bundle.secret not in made.stderr
    assert f"{file} is already there" in twice.stderr
    assert [(one["name"], one["state"]) for one in listed] == [("ann", "open")]
    assert joined.json()["tunnel_addresses"] == ["10.6.0.2"]


def test_a_bundle_is_made_out_for_a_worker_and_cancelled(wgfleet: Run) -> None:
    """It is printed where no file is named."""
    made = wgfleet(
        "worker", "enrol", "fra1", "--endpoint", "192.0.2.1:51820", "--tunnel-address", "10.99.0.1"
    )
    cancelled = wgfleet("enrolment", "cancel", "fra1")
    again = wgfleet("enrolment", "cancel", "fra1")

    bundle = Bundle.from_text(made.stdout)
    assert (bundle.name, bundle.role) == ("fra1", "worker")
    assert cancelled.stdout == "nobody joins as fra1 by its bundle\n"
    assert (again.returncode, "there is no open enrolment of 'fra1'" in again.stderr) == (1, True)


def test_a_worker_that_enrols_again_keeps_what_is_not_said_of_it(wgfleet: Run, receiver: Running) -> None:
    """Its endpoint and its settings, too; a new one must say where it is."""
    add_worker(wgfleet, "ams2", 21)
    wgfleet("worker", "add", "ams2", "--region", "eu", "--weight", "70")

    def join(*words: str) -> dict[str, Any]:
        bundle = Bundle.from_text(wgfleet("worker", "enrol", "ams2", "--again", *words).stdout)
        body = {"secret": bundle.secret, "public_key": new_key_pair().public}
        assert httpx.post(f"{receiver.url}/v1/enrol", json=body, trust_env=False).status_code == 200
        known: dict[str, Any] = said(wgfleet("worker", "list", "--json"))["workers"]["ams2"]
        return known

    kept, changed = join(), join("--weight", "50")
    new = wgfleet("worker", "enrol", "ams3", "--tunnel-address", "10.98.0.33")
    wgfleet("worker", "remove", "ams2")

    for known, weight in ((kept, 70), (changed, 50)):
        assert (known["endpoints"], known["tunnel_addresses"]) == (["192.0.2.21:51820"], ["10.98.0.21"])
        assert (known["region"], known["weight"]) == ("eu", weight)
    assert (new.returncode, "--endpoint: needed of a new worker; or --again" in new.stderr) == (2, True)


def test_a_vantage_is_enrolled_by_a_bundle_of_its_own(wgfleet: Run) -> None:
    """With its address, as a client's."""
    made = wgfleet("vantage", "enrol", "mon1", "--address", "10.6.0.250")
    wgfleet("enrolment", "cancel", "mon1")

    assert (made.returncode, Bundle.from_text(made.stdout).role) == (0, "vantage")


# Waiting.


def add_worker(wgfleet: Run, name: str, number: int) -> None:
    """A worker that nobody has heard of yet."""
    key = base64.b64encode(bytes([number] * 32)).decode()
    added = wgfleet("worker", "add", name, "--public-key", key, "--endpoint", f"192.0.2.{number}:51820",
                    "--tunnel-address", f"10.98.0.{number}")  # fmt: skip
    assert added.returncode == 0, added.stderr


def token(wgfleet: Run, name: str, role: Role) -> str:
    """A new token."""
    return wgfleet("token", "create", name, "--role", role).stdout.strip()


def test_a_revocation_waits_for_the_workers(wgfleet: Run, receiver: Running) -> None:
    """In vain it names those that are missing, and ends with 4; the client is revoked all the same."""
    add_worker(wgfleet, "fra1", 1)
    add_worker(wgfleet, "ams1", 2)
    fra1 = token(wgfleet, "fra1", Role.WORKER)
    ack(receiver, fra1, client_list={"epoch": 1, "generation": 1})
    for name, key in zip(("ann", "bob"), PEERS, strict=False):
        wgfleet("client", "add", name, "--public-key", key)

    in_vain = wgfleet("client", "revoke", "ann", "--wait", "--timeout", "0")
    ack(receiver, fra1, client_list={"epoch": 1, "generation": 99})
    done = wgfleet("client", "revoke", "bob", "--wait")

    assert in_vain.returncode == 4
    assert in_vain.stderr.splitlines()[-1] == (
        "wgfleet: ann is revoked, but not everywhere yet: workers that have not forgotten it yet: 1 (fra1)"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said(wgfleet("client", "list", "--json"))["clients"] == {}


def test_a_drain_waits_for_the_clients(wgfleet: Run, receiver: Running) -> None:
    """It tells how many are left; while the receiver may not have heard everybody yet, it is not sure."""
    add_worker(wgfleet, "fra1", 1)
    ann, bob = (token(wgfleet, name, Role.CLIENT) for name in ("ann", "bob"))
    ack(receiver, ann, epoch=1, generation=99, active="fra1")
    ack(receiver, bob, epoch=1, generation=0, active=None)

    in_vain = wgfleet("worker", "drain", "fra1", "--wait", "--timeout", "0")
    ack(receiver, ann, epoch=1, generation=99, active="ams1")
    ack(receiver, bob, epoch=1, generation=99, active="ams1", draining={"fra1": 12})
    connected = wgfleet("worker", "drain", "fra1", "--wait", "--timeout", "0")
    ack(receiver, ann, epoch=1, generation=99, active="ams1", draining={"fra1": None})
    uncounted = wgfleet("worker", "drain", "fra1", "--wait", "--timeout", "0")
    ack(receiver, ann, epoch=1, generation=99, active="ams1")
    ack(receiver, bob, epoch=1, generation=99, active="ams1")
    unsure = wgfleet("worker", "drain", "fra1", "--wait", "--timeout", "0", "--json")

    assert in_vain.returncode == 4
    assert "clients on fra1: 1 (ann); clients that have not heard of it yet: 1 (bob)" in in_vain.stderr
    assert "fra1 is not empty; it stays draining" in in_vain.stderr
    assert connected.returncode == uncounted.returncode == 4
    assert "connections left on fra1: 12 of clients 1 (bob)" in connected.stderr
    assert "12 of clients 1 (bob), an unknown number of clients 1 (ann)" in uncounted.stderr
    assert said(unsure, code=4)["remains"].startswith("the receiver started a short while ago")


def test_removals_are_confirmed(wgfleet: Run) -> None:
    """By a list of its own."""
    wgfleet("client", "add", "ann", "--public-key", PEERS[0])

    confirmed = wgfleet("client", "confirm-removals")

    assert confirmed.stdout.startswith("client list 1.2 confirms 1 client: whoever else")
