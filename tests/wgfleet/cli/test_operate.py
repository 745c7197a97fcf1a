"""Tests of the operator's command, against a real receiver."""

import json
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.waiting import wait_until
from tests.wgfleet.cli.operating import Run, operating
from wgfleet.signing import Signer

KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
OTHER = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
ADD = ("--public-key", KEY, "--endpoint", "192.0.2.11:51820", "--tunnel-address", "10.99.0.1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a receiver that runs."""
    folder = tmp_path_factory.mktemp("receiver")
    receiver = [sys.executable, "-m", "failover_receiver"]
    subprocess.run(
        [*receiver, "init", "--fleet", "example", "--directory", folder], check=True, capture_output=True
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "receiver.toml"
    configuration.write_text(configuration.read_text().replace("9587", str(port)))
    (folder / "url").write_text(f"http://127.0.0.1:{port}")
    with subprocess.Popen(
        [*receiver, "run", "--config", configuration], stderr=subprocess.DEVNULL
    ) as running:
        wait_until(lambda: _alive(folder), 30, "the receiver to answer")
        yield folder
        running.terminate()


def _alive(folder: Path) -> bool:
    try:
        with urllib.request.urlopen(f"{(folder / 'url').read_text()}/livez", timeout=1):  # noqa: S310 - our own.
            return True
    except urllib.error.URLError:
        return False


@pytest.fixture
def wgfleet(home: Path) -> Run:
    """Runs the command as an operator would."""
    return operating((home / "url").read_text(), home)


def test_a_worker_is_added_drained_and_removed(wgfleet: Run) -> None:
    """Each command says what is then known of the worker."""
    added = json.loads(wgfleet("worker", "add", "fra1", *ADD, "--json").stdout)["workers"]["fra1"]
    drained = json.loads(wgfleet("worker", "drain", "fra1", "--json").stdout)["workers"]["fra1"]
    removed = json.loads(wgfleet("worker", "remove", "fra1", "--json").stdout)["workers"]

    assert (added["state"], added["reason"], added["allowed_ips"]) == ("joining", "registered", ["0.0.0.0/0"])
    assert (drained["state"], drained["drain"]) == ("draining", True)
    assert removed == {}


def test_a_banned_worker_that_is_drained_is_said_to_stay_banned(wgfleet: Run) -> None:
    """The wish is kept, and counts later; nobody shall think that its clients leave by it."""
    wgfleet("worker", "add", "fra1", *ADD)
    wgfleet("worker", "ban", "fra1")

    drained = wgfleet("worker", "drain", "fra1")
    admitted = wgfleet("worker", "admit", "fra1")
    events = wgfleet("events").stdout
    wgfleet("worker", "remove", "fra1")

    assert "fra1 stays banned: its drain counts once it is so no more" in drained.stderr
    assert (admitted.returncode, "fra1 is banned: lift the ban first" in admitted.stderr) == (1, True)
    assert "it stays banned" in events


def test_a_drained_worker_that_is_admitted_is_said_to_stay_drained(wgfleet: Run) -> None:
    """By force, too: that goes against alerts alone. And what lets it serve is said."""
    wgfleet("worker", "add", "fra1", *ADD)
    wgfleet("worker", "drain", "fra1")

    admitted = wgfleet("worker", "admit", "fra1", "--force")
    wgfleet("worker", "undrain", "fra1")
    again = wgfleet("worker", "admit", "fra1", "--force")
    wgfleet("worker", "remove", "fra1")

    assert admitted.returncode == 0
    assert (
        "fra1 is admitted and stays draining: it is drained; `wgfleet worker undrain fra1`" in admitted.stderr
    )
    assert "stays" not in again.stderr


def test_a_worker_that_is_known_keeps_what_is_not_said_of_it(wgfleet: Run) -> None:
    """One word changes one thing; `none` takes away."""
    whole = ("--tunnel-address", "fd99::1", "--weight", "70", "--region", "eu", "--keepalive", "20", "--mtu", "1400",
             "--dns", "10.99.0.1", "--priority", "3", "--exporter-port", "9000")  # fmt: skip
    before = json.loads(wgfleet("worker", "add", "fra1", *ADD, *whole, "--json").stdout)["workers"]["fra1"]
    after = json.loads(wgfleet("worker", "add", "fra1", "--weight", "50", "--json").stdout)["workers"]["fra1"]
    bare = json.loads(wgfleet("worker", "add", "fra1", "--mtu", "none", "--dns", "none", "--json").stdout)
    wgfleet("worker", "remove", "fra1")
    unknown = wgfleet("worker", "add", "fra1", "--weight", "50")

    assert (before["mtu"], before["dns"], before["region"]) == (1400, ["10.99.0.1"], "eu")
    assert after == {**before, "weight": 50}
    assert bare["workers"]["fra1"] == {**after, "mtu": None, "dns": []}
    assert unknown.returncode == 1
    assert (
        "no worker fra1: to add it, say --public-key, --endpoint, --tunnel-address as well" in unknown.stderr
    )


def test_a_table_in_a_pipe_is_as_wide_as_it_is(wgfleet: Run, home: Path) -> None:
    """A key that is cut off is of no use, and a row on two lines is found by no grep."""
    wgfleet("worker", "add", "fra1", *ADD, "--region", "a-region-of-many-words-" * 2)

    listed = operating((home / "url").read_text(), home, columns=None)("worker", "list").stdout
    wgfleet("worker", "remove", "fra1")

    (row,) = [line for line in listed.splitlines() if "fra1" in line]
    assert KEY in row
    assert "192.0.2.11:51820" in row


def test_a_watch_goes_on_while_the_receiver_is_away(home: Path) -> None:
    """That it comes back is what one waits for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "wgfleet.cli", "status", "--watch", "--receiver", nobody]
    with subprocess.Popen(
        [*command, "--token-file", home / "operator.token"], stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stderr is not None
        said = [watching.stderr.readline() for _ in range(2)]
        watching.terminate()

    assert ["was not reached" in line for line in said] == [True, True]


def test_the_history_says_who_did_what_and_why(wgfleet: Run) -> None:
    """With the generation that published it."""
    wgfleet("worker", "add", "ams1", *ADD)
    wgfleet("worker", "ban", "ams1")
    wgfleet("worker", "remove", "ams1")

    history = json.loads(wgfleet("events", "--json").stdout)

    told = [(event["who"], event["before"], event["after"], event["reason"]) for event in history[-3:]]
    assert told == [
        ("operator", None, "joining", "registered"),
        ("operator", "joining", "banned", "banned"),
        ("operator", "banned", None, "removed"),
    ]


def test_status_says_by_its_exit_code_that_monitoring_is_blind(wgfleet: Run) -> None:
    """No Prometheus watches this receiver: 3, and the reason in the table."""
    status = wgfleet("status")

    assert status.returncode == 3
    assert "blind: no Watchdog for 20 s" in status.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("worker", "drain", "fra1", "--timeout", "5"), 2, "--timeout belongs to --wait"),
        (("client", "revoke", "ann", "--timeout", "5"), 2, "--timeout belongs to --wait"),
        (("worker", "add", "fra1", "--new-key"), 2, "--new-key belongs to --public-key: say the new one"),
        (("worker", "drain", "nowhere"), 1, "there is no worker 'nowhere'; registered: none"),
        (("worker", "add", "Frankfurt", *ADD), 2, "'Frankfurt' is not a name: lower-case letters"),
        (("worker", "add", "fra1", *ADD[:-1], "10.99"), 2, "'10.99' is not an IP address"),
        (("worker", "add", "fra1", *ADD, "--weight", "0"), 1, "weight: is 0"),
        (
            ("status", "--token-file", "/nonexistent"),
            1,
            "/nonexistent is not there: it should hold the operator's token (--token-file",
        ),
        (
            ("status", "--ca-file", "/nonexistent"),
            1,
            "/nonexistent is not there: --ca-file names the certificate",
        ),
        (
            ("status", "--receiver", "http://127.0.0.1:1"),
            1,
            "the receiver at http://127.0.0.1:1 was not reached",
        ),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(
    wgfleet: Run, words: tuple[str, ...], code: int, said: str
) -> None:
    """In one line on standard error, without a traceback."""
    done = wgfleet(*words)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_worker_with_the_same_key_is_refused(wgfleet: Run) -> None:
    """Clients would refuse the whole document for it."""
    wgfleet("worker", "add", "fra1", *ADD)

    twin = wgfleet("worker", "add", "fra2", *ADD[:-1], "10.99.0.2")
    wgfleet("worker", "remove", "fra1")

    assert twin.returncode == 1
    assert f"public_key '{KEY}' is already that of worker 'fra1': each has its own" in twin.stderr


def test_the_signing_key_is_told_for_pinning_and_by_its_name(wgfleet: Run, home: Path) -> None:
    """The key alone goes to the output, so that a script can pin it; how logs name it stands beside it."""
    signer = Signer.from_text((home / "signing.key").read_text())

    told, for_programs = wgfleet("signing-key"), wgfleet("signing-key", "--json")

    assert told.stdout == f"{signer.public_text}\n"
    assert told.stderr == f"It signs for fleet example; logs name it {signer.key_id}.\n"
    said = json.loads(for_programs.stdout)
    assert (said["public_key"], said["key_id"]) == (signer.public_text, signer.key_id)


def test_a_token_goes_into_a_file_that_only_its_owner_reads(wgfleet: Run, tmp_path: Path) -> None:
    """And into no output; it opens what its role may, and nothing after it was revoked."""
    file = tmp_path / "token"

    made = wgfleet("token", "create", "laptop-1", "--role", "client", "--output", file)

    assert file.read_text().strip() not in made.stdout + made.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert wgfleet("signing-key", "--token-file", file).returncode == 0
    denied = wgfleet("status", "--token-file", file).stderr
    assert "token 'laptop-1' has the role client, this needs operator or prometheus" in denied
    assert wgfleet("token", "revoke", "laptop-1").returncode == 0
    assert "this token is not known here" in wgfleet("signing-key", "--token-file", file).stderr


def test_an_existing_file_is_never_written_over(wgfleet: Run, tmp_path: Path) -> None:
    """And no token is made for nothing."""
    (tmp_path / "token").write_text("precious")

    refused = wgfleet("token", "create", "laptop-2", "--role", "client", "--output", tmp_path / "token")

    assert refused.returncode == 1
    assert (tmp_path / "token").read_text() == "precious"
    assert "laptop-2" not in wgfleet("token", "list").stdout
