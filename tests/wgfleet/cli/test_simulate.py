"""Tests of wgfleet/cli/simulate.py, against a real receiver that hears a real webhook."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from tests.failover_receiver.parts import bearer, posted, webhook
from tests.failover_receiver.running import Running
from tests.failover_receiver.story import spec
from tests.wgfleet.cli.operating import Run, operating

WORKERS = ("ams1", "fra1", "lon1", "par1")


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One with four workers."""
    with Running(tmp_path_factory.mktemp("simulate") / "receiver") as running:
        for number, name in enumerate(WORKERS, start=1):
            known = spec(number)
            said = {
                "public_key": known.public_key,
                "endpoints": known.endpoints,
                "tunnel_addresses": known.tunnel_addresses,
                "allowed_ips": known.allowed_ips,
            }
            ask(running, Role.OPERATOR, "PUT", f"/v1/workers/{name}", said)
        yield running


@pytest.fixture
def live(receiver: Running) -> Running:
    """It hears the Watchdog, and that all workers are up."""
    now = time.time()
    alerts = (posted("watchdog", None, now), *(posted("up", name, now) for name in WORKERS))
    ask(receiver, Role.ALERTMANAGER, "POST", "/v1/alerts", webhook(*alerts))
    return receiver


@pytest.fixture
def wgfleet(receiver: Running) -> Run:
    """Runs the command as an operator would."""
    return operating(receiver.url, receiver.directory, "simulate", columns=120)


def ask(receiver: Running, role: Role, method: str, path: str, body: Any) -> Any:
    headers = bearer(receiver.secret(role))
    answer = httpx.request(method, f"{receiver.url}{path}", json=body, headers=headers, trust_env=False)
    answer.raise_for_status()
    return answer.json()


@pytest.mark.usefixtures("live")
def test_a_what_if_is_shown_as_tables_for_people(wgfleet: Run) -> None:
    """What happens when and why, how all would stand, and that nothing was changed."""
    done = wgfleet("--down", "fra1", "--wait", "60s", "--up", "fra1", "--wait", "60s")

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.rstrip() for line in done.stdout.splitlines()] == [
        "at      what happens  worker  from     to           reason",
        "0.0 s   down fra1     fra1    serving  down         worker_down",
        "60.0 s  wait 60 s                      (no change)",
        "60.0 s  up fra1       fra1    down     joining      hold_down",
        "90.0 s  wait 60 s     fra1    joining  serving      up",
        "",
        "worker  now      then     reason  clients  must move",
        "ams1    serving  serving  up      0        0",
        "fra1    serving  serving  up      0        0",
        "lon1    serving  serving  up      0        0",
        "par1    serving  serving  up      0        0",
        "",
        "clients that must move: 0   monitoring then live",
        "Nothing was changed.",
    ]


@pytest.mark.usefixtures("live")
def test_steps_are_played_in_the_order_in_which_they_are_given(wgfleet: Run) -> None:
    """Options of one kind may come again."""
    done = wgfleet("--drain", "ams1", "--down", "fra1,lon1", "--undrain", "ams1", "--json")

    steps = [step["step"] for step in json.loads(done.stdout)["steps"]]
    assert steps == ["drain ams1", "down fra1, lon1", "undrain ams1"]


@pytest.mark.usefixtures("live")
def test_too_many_down_are_warned_of(wgfleet: Run) -> None:
    """In words that say what clients do then."""
    done = wgfleet("--down", "fra1,ams1,lon1")

    assert "warning: too many at once: ams1, fra1, lon1 would become suspect" in done.stdout


def test_a_receiver_that_is_blind_is_told_and_how_to_ask_all_the_same(tmp_path: Path) -> None:
    """Its alerts would move nothing."""
    with Running(tmp_path / "receiver") as blind:
        command = [sys.executable, "-m", "wgfleet.cli", "simulate", "--wait", "1s", "--receiver", blind.url]
        command += ["--token-file", str(blind.directory / "operator.token")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)

    told = " ".join(done.stdout.split())
    assert "monitoring is blind now (no Watchdog for 20 s)" in told
    assert "--assume-live plays as if it were heard" in told


DOWN = {
    "status": "firing",
    "labels": {"alertname": "WireGuardWorkerDown", "action": "failover", "worker": "fra1"},
}
LISTED = {**DOWN, "status": {"state": "active"}, "startsAt": "2026-01-01T00:00:00Z", "receivers": []}


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"version": "4", "alerts": [DOWN]}]),
        json.dumps({"version": "4", "alerts": [DOWN]}, indent=2),
        f"{json.dumps({'alerts': [DOWN]})}\n\n{json.dumps({'alerts': [DOWN], 'at': 5})}\n",
        json.dumps([LISTED]),
        json.dumps(LISTED),
    ],
    ids=["a list of webhooks", "one webhook", "one per line", "a list of alerts", "one alert"],
)
def test_a_file_of_alerts_is_played(wgfleet: Run, tmp_path: Path, text: str) -> None:
    """In each form in which one gets them."""
    file = tmp_path / "alerts.json"
    file.write_text(text)

    done = wgfleet(file, "--json")

    answer = json.loads(done.stdout)
    assert answer["steps"][0]["step"] == "WireGuardWorkerDown fra1 fires"
    assert answer["workers"]["fra1"]["state"] == "down"


@pytest.mark.usefixtures("live")
def test_webhooks_come_in_the_order_of_their_times(wgfleet: Run, tmp_path: Path) -> None:
    """Not of their lines."""
    file = tmp_path / "alerts.json"
    later = {"at": 30, "alerts": [{**DOWN, "status": "resolved"}]}
    file.write_text(f"{json.dumps(later)}\n{json.dumps({'at': 2.5, 'alerts': [DOWN]})}\n")

    answer = json.loads(wgfleet(file, "--json").stdout)

    assert [(step["at"], step["step"]) for step in answer["steps"]] == [
        (2.501, "WireGuardWorkerDown fra1 fires"),
        (30.001, "WireGuardWorkerDown fra1 ends"),
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "nothing happens: give --down WORKER"),
        (("--down", "Frankfurt"), 2, "'Frankfurt' is not a name"),
        (("--wait", "soon"), 2, "'soon' is not a duration: as 500ms, 30s or 1m30s"),
        (("--down", "nowhere"), 1, "there is no worker 'nowhere'; registered: ams1, fra1, lon1, par1"),
        (("/nonexistent",), 1, "/nonexistent is not there: expected alerts as JSON"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(
    wgfleet: Run, words: tuple[str, ...], code: int, said: str
) -> None:
    """In one line, without a traceback."""
    done = wgfleet(*words)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "alerts.json:1: is not JSON: Expecting value; expected one value, or one per line"),
        ('[{"alerts": []}]', "a webhook has no alerts: expected Alertmanager's own JSON"),
        ('{"alerts": [{"status": "firing"}]}', "an alert has no labels"),
        ('{"alerts": [{"labels": {"a": "b"}}], "at": -1}', "at is -1, expected seconds from now"),
        ("[17]", "a webhook has no alerts"),
    ],
)
def test_a_file_that_holds_no_alerts_is_refused(wgfleet: Run, tmp_path: Path, text: str, said: str) -> None:
    """With its name."""
    file = tmp_path / "alerts.json"
    file.write_text(text)

    done = wgfleet(file)

    assert done.returncode == 1
    assert said in done.stderr
