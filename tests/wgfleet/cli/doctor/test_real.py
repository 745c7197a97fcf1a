"""The whole command on a chain of real daemons: well, and with a part of it broken."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chain import LOAD, WORKERS, Chain, wgfleet
from tests.daemons import Daemon, Page
from tests.failover_receiver.alertmanager import NotHereError, Real
from tests.failover_receiver.parts import LIMIT, rfc3339
from tests.lab.waiting import wait_until
from wgfleet.cli.doctor.asking import PROMETHEUS

Doctor = Callable[..., subprocess.CompletedProcess[str]]
DEAD = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One for all tests; each broken part stands beside it, or is put back."""
    running = Chain(tmp_path_factory.mktemp("chain"))
    try:
        running.start()
        running.wait_until_live()
        wait_until(lambda: all_evaluated(running), LIMIT, "each group of rules to be evaluated once")
        yield running
    except NotHereError as error:
        pytest.skip(str(error))
    finally:
        running.close()


def all_evaluated(chain: Chain) -> bool:
    """The slowest groups' first turn is up to 15 s after Prometheus's start."""
    groups = httpx.get(f"{chain.prometheus.url}/api/v1/rules").json()["data"]["groups"]
    return all(not group["lastEvaluation"].startswith("0001-") for group in groups)


@pytest.fixture
def doctor(chain: Chain) -> Doctor:
    """Runs the command on that chain; what is given comes instead."""

    def run(*words: str | Path, **instead: str | Path) -> subprocess.CompletedProcess[str]:
        said = {
            "receiver": chain.receiver_url,
            "token-file": chain.receiver.directory / "operator.token",
            "prometheus": chain.prometheus.url,
            "alertmanager": chain.alertmanager.url,
            **{name.replace("_", "-"): value for name, value in instead.items()},
        }
        options = [word for name, value in said.items() for word in (f"--{name}", value)]
        return wgfleet("doctor", *options, *words)

    return run


def ill(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What is not well, by the command's JSON."""
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return [f"{one['level']}: {one['what']}" for one in findings if one["level"] != "ok"]


def well(doctor: Doctor) -> bool:
    return doctor().returncode == 0


def test_a_chain_that_is_well_has_no_finding(doctor: Doctor) -> None:
    """Exit code 0, and each part has said something."""
    done = doctor()

    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert done.stdout.endswith("0 faults, 0 warnings\n")
    assert (
        "  ok           wgfleet-tunnel: the probes through the tunnel of ams1 (127.0.0.2), fra1 (127.0.0.3)\n"
        in done.stdout
    )
    assert "  ok           its configuration and rules hold together\n" in done.stdout


@pytest.mark.parametrize("question", PROMETHEUS)
def test_each_question_is_one_that_a_real_prometheus_answers(chain: Chain, question: str) -> None:
    """What is not answered would be nothing that was found."""
    answer = httpx.get(f"{chain.prometheus.url}{PROMETHEUS[question]}")

    assert answer.status_code == 200, answer.text


def test_whether_a_receiver_has_its_store_is_asked_by_what_it_is_scraped_for(chain: Chain) -> None:
    """A receiver with a file of its own has it, too."""

    def has_it() -> list[str]:
        found = httpx.get(f"{chain.prometheus.url}{PROMETHEUS['stores']}").json()["data"]["result"]
        return [one["value"][1] for one in found]

    wait_until(lambda: has_it() == ["1"], LIMIT, "the receiver to be scraped")


def test_the_loads_of_the_exporters_stand_in_health(chain: Chain) -> None:
    """By the receiver's own asking of the real Prometheus."""

    def loads() -> dict[str, float | None]:
        return {name: worker["load"] for name, worker in chain.ask("GET", "/health")["workers"].items()}

    wait_until(lambda: loads() == {"ams1": 0.31, "fra1": 0.31}, LIMIT, "both loads")


def test_a_dead_prometheus_is_told_once(doctor: Doctor) -> None:
    """Exit code 1; what depends on it is not checked."""
    done = doctor("--json", prometheus=DEAD)

    assert done.returncode == 1
    assert ill(done) == [
        "fault: it was not reached: All connection attempts failed",
        "not checked: its flags, configuration, rules, targets and Alertmanagers",
    ]


def test_a_dead_alertmanager_is_told_once(doctor: Doctor) -> None:
    """Exit code 1."""
    done = doctor("--json", alertmanager=DEAD)

    assert done.returncode == 1
    assert ill(done) == [
        "fault: it was not reached: All connection attempts failed",
        "not checked: its routes, silences and Watchdog",
    ]


def test_a_dead_receiver_is_told_once(chain: Chain, doctor: Doctor) -> None:
    """And the others are checked all the same."""
    done = doctor("--json", receiver=DEAD)

    assert done.returncode == 1
    assert [one for one in ill(done) if not one.startswith("not checked")] == [
        f"fault: {DEAD} was not reached: All connection attempts failed",
        f"warning: its webhook goes to {chain.receiver_url}, this command asks {DEAD}",
    ]


def test_a_token_of_another_role_is_told_and_never_shown(chain: Chain, doctor: Doctor) -> None:
    """It goes to the receiver alone, and into no output."""
    file = chain.receiver.directory / "prometheus.token"

    done = doctor("--json", token_file=file)

    assert done.returncode == 1
    assert any(
        "it refuses this token: 403: token 'prometheus' has the role prometheus" in one for one in ill(done)
    )
    assert file.read_text().strip() not in done.stdout + done.stderr


def test_a_token_that_is_not_there_is_a_failure_of_the_command(doctor: Doctor, tmp_path: Path) -> None:
    """In one line on standard error."""
    done = doctor(token_file=tmp_path / "none")

    assert done.returncode == 1
    assert f"wgfleet: {tmp_path}/none is not there" in done.stderr
    assert done.stdout == ""


@pytest.fixture
def bare(chain: Chain, tmp_path: Path) -> Iterator[Daemon]:
    """A Prometheus without our rules, started as by a package."""
    daemon = chain.start_prometheus(tmp_path, "--log.level=info", rules=False, port=0)
    yield daemon
    daemon.close()


def test_rules_and_flags_that_are_forgotten_are_told(doctor: Doctor, bare: Daemon) -> None:
    """With what loads them."""
    done = doctor("--json", prometheus=bare.url)

    assert done.returncode == 1
    told = "\n".join(ill(done))
    assert "fault: it has no alert with its action for WireGuardWorkerDown, WireGuardWorkerDegraded" in told
    assert "fault: --rules.alert.resend-delay is 1m, expected 1s to 5s" in told


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Real]:
    """An Alertmanager that tells people only."""
    real = Real(tmp_path, "route: {receiver: people}\nreceivers: [{name: people}]\n")
    yield real
    real.close()


def test_a_route_that_is_missing_is_told(doctor: Doctor, deaf: Real) -> None:
    """And that it holds no Watchdog, because no Prometheus tells it."""
    done = doctor("--json", alertmanager=deaf.url)

    assert done.returncode == 1
    assert ill(done) == [
        "fault: alertmanager.yml: receivers is without any /v1/alerts",
        "fault: it holds no Watchdog",
    ]


def test_a_silence_is_told_and_is_no_fault(chain: Chain, doctor: Doctor) -> None:
    """Exit code 0: failover goes on."""
    now = time.time()
    matcher = {"name": "alertname", "value": "WireGuardWorkerDown", "isRegex": False, "isEqual": True}
    times = {"startsAt": rfc3339(now), "endsAt": rfc3339(now + 300.0)}
    chain.alertmanager.post("silences", {"matchers": [matcher], "createdBy": "anna", "comment": "x", **times})

    done = doctor()

    assert done.returncode == 0
    assert "ok           a silence of anna until " in done.stdout
    assert " mutes WireGuardWorkerDown, for people only" in done.stdout


def test_a_worker_that_was_just_added_is_told_until_all_know_it(chain: Chain, doctor: Doctor) -> None:
    """Prometheus learns of it, nothing answers there, and it was never up."""
    body = {
        "public_key": "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
        "endpoints": ["127.0.0.9:51820"],
        "tunnel_addresses": ["192.0.2.99"],
        "allowed_ips": ["0.0.0.0/0"],
        "exporter_port": 1,
    }
    chain.ask("PUT", "/v1/workers/new1", body)
    try:
        done = wait_until(
            # Each of Prometheus's jobs learns of it by itself.
            lambda: _told(doctor, "new1 does not answer through the tunnel", "the exporter of new1"),
            LIMIT,
            "new1 to be told",
        )
    finally:
        headers = {
            "Authorization": f"Bearer {(chain.receiver.directory / 'operator.token').read_text().strip()}"
        }
        httpx.delete(
            f"{chain.receiver_url}/v1/workers/new1", headers=headers, trust_env=False
        ).raise_for_status()

    told = "\n".join(ill(done))
    assert "warning: new1 does not answer through the tunnel; its public address answers" in told
    assert "warning: the exporter of new1 (127.0.0.9:1) is not scraped: " in told
    wait_until(lambda: well(doctor), LIMIT, "all to have forgotten it")


def _told(doctor: Doctor, *texts: str) -> subprocess.CompletedProcess[str] | None:
    done = doctor("--json")
    told = ill(done)
    return done if all(any(text in one for one in told) for text in texts) else None


def test_an_exporter_that_is_gone_is_a_warning(chain: Chain, doctor: Doctor) -> None:
    """Exit code 5: nobody is moved for it."""
    page = chain.pages["fra1"]
    page.close()
    try:
        done = wait_until(
            lambda: _told(doctor, "the exporter of fra1"), LIMIT, "Prometheus to have missed it"
        )
    finally:
        chain.pages["fra1"] = Page(LOAD, WORKERS["fra1"], page.server_port)

    assert done.returncode == 5
    refused = f"dial tcp {page.address}: connect: connection refused"
    assert [one for one in ill(done) if "tcp:" not in one] == [
        f'warning: the exporter of fra1 ({page.address}) is not scraped: Get "http://{page.address}/metrics": {refused}'
    ]
