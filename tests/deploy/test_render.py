"""`wgfleet render`: the committed files, the command line and its refusals."""

import json
from pathlib import Path

import pytest
import yaml

from tests.deploy.programs import REPOSITORY
from tests.deploy.rendering import (
    ALERTS,
    CERTIFICATES,
    EVERY_OPTION,
    EXPORTER,
    PACE,
    RECEIVER,
    RENDERED,
    SCRAPED,
    TARGETS,
    TIMES,
    TOKEN,
    TURNS,
    rendered,
)
from wgfleet.cli.monitoring import Kind

DEPLOY = REPOSITORY / "deploy"
COMMITTED = {
    Kind.PROMETHEUS: DEPLOY / "prometheus" / "prometheus.yml",
    Kind.RULES: DEPLOY / "prometheus" / "rules.yml",
    Kind.ALERTMANAGER: DEPLOY / "alertmanager" / "alertmanager.yml",
    Kind.BLACKBOX: DEPLOY / "blackbox" / "blackbox.yml",
}


@pytest.mark.parametrize("kind", RENDERED)
def test_committed(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The committed files are what renders by default.
    """
    assert COMMITTED[kind].read_text() == rendered(f"render {kind}", capsys)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    "options", [CERTIFICATES, EVERY_OPTION, f"{CERTIFICATES} --threshold 4 --deciding tcp --interval 1s"]
)
def test_first_line_makes_the_file_again(
    kind: Kind, options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The first line of a file is the command that makes it.
    """
    text = rendered(f"render {kind} {options}", capsys)
    command = text.splitlines()[0].removeprefix("# wgfleet ")

    assert text == rendered(command, capsys)


def test_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The command names the times always, and other settings where a file depends on them and they are not the default.
    """
    first_lines = [
        rendered(f"render {kind} {options}", capsys).splitlines()[0]
        for options in ("", EVERY_OPTION)
        for kind in (Kind if options else RENDERED)
    ]

    assert first_lines == [
        "# wgfleet render prometheus --interval 30s --timeout 2s",
        "# wgfleet render rules --interval 30s --timeout 2s --threshold 3 --deciding tunnel",
        "# wgfleet render alertmanager --interval 30s --timeout 2s",
        "# wgfleet render blackbox --interval 30s --timeout 2s",
        f"# wgfleet render prometheus {PACE} {TIMES} {RECEIVER} {SCRAPED} {TARGETS} {TOKEN} {EXPORTER}",
        f"# wgfleet render rules {PACE} --threshold 3 --deciding tunnel --window 17s {TIMES} {ALERTS}",
        f"# wgfleet render alertmanager {PACE} {TURNS} {RECEIVER} {TOKEN}",
        f"# wgfleet render blackbox {PACE}",
        f"# wgfleet render blackbox-web {CERTIFICATES}",
    ]


def test_below_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    """
    With probes faster than one a second, rules and Alertmanager's turns are as fast as the probes.
    """
    prometheus = yaml.safe_load(rendered("render prometheus --interval 200ms", capsys))
    rules = yaml.safe_load(rendered("render rules --interval 200ms", capsys))
    alertmanager = yaml.safe_load(rendered("render alertmanager --interval 200ms", capsys))

    assert [
        prometheus["global"]["evaluation_interval"],
        rules["groups"][0]["interval"],
        alertmanager["route"]["group_interval"],
    ] == ["200ms", "200ms", "200ms"]


def test_blackbox(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Both modules have the probe's own timeout, and take either kind of address.
    """
    protocol = {"preferred_ip_protocol": "ip4", "ip_protocol_fallback": True}

    assert yaml.safe_load(rendered("render blackbox --interval 1s", capsys)) == {
        "modules": {
            "icmp": {"prober": "icmp", "timeout": "500ms", "icmp": protocol},
            "tcp": {"prober": "tcp", "timeout": "500ms", "tcp": protocol},
        }
    }


def test_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    `all` writes the four files into a directory, each with its own token, and says what the times mean.
    """
    made = tmp_path / "etc" / "wgfleet"
    options = "--prometheus-token-file /p --alertmanager-token-file /a --interval 5s"

    said = rendered(f"render all --output-dir {made} {options}", capsys)

    assert said == (
        f"wrote {made}/prometheus.yml\nwrote {made}/rules.yml\nwrote {made}/alertmanager.yml\n"
        f"wrote {made}/blackbox.yml\n"
        "A worker that dies is reported within 18s500ms: 3 probes 5s apart (15s), the last one's timeout (2s), a margin "
        "for storing it (500ms), and the next evaluation of the rules (1s). Alertmanager passes it on at once, or at its "
        "next turn (1s) if the worker had failed just before. The receiver is blind after 20s without the Watchdog, and "
        "for one worker after 45s without a verdict on it.\n"
    )
    assert {path.name: path.read_text() for path in made.iterdir()} == {
        "prometheus.yml": rendered("render prometheus --interval 5s --token-file /p", capsys),
        "rules.yml": rendered("render rules --interval 5s", capsys),
        "alertmanager.yml": rendered("render alertmanager --interval 5s --token-file /a", capsys),
        "blackbox.yml": rendered("render blackbox --interval 5s", capsys),
    }


def test_all_with_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Where there are certificates, `all` also writes who may ask blackbox.
    """
    rendered(f"render all --output-dir {tmp_path} {CERTIFICATES}", capsys)

    assert (tmp_path / "blackbox-web.yml").read_text() == rendered(
        f"render blackbox-web {CERTIFICATES}", capsys
    )


PROBING_5S = {
    "threshold": 3,
    "interval": 5.0,
    "timeout": 2.0,
    "scrape_timeout": 2.2,
    "window": 17.5,
    "evaluation": 1.0,
    "detection": 18.5,
    "watchdog_silence": 20.0,
    "worker_silence": 45.0,
    "detection_parts": {"probes": 15.0, "timeout": 2.0, "margin": 0.5, "evaluation": 1.0},
}
ALERTING = {"resend_delay": 5.0, "group_interval": 1.0, "repeat_interval": 30.0}


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    As JSON it says what was made and the times in seconds; a file that was not written is in it.
    """
    path = tmp_path / "b.yml"
    shown = json.loads(rendered("render blackbox --interval 5s --json", capsys))
    written = json.loads(rendered(f"render blackbox --interval 5s --json --output {path}", capsys))

    times = {"probing": PROBING_5S, "alerting": ALERTING}
    assert shown == {**times, "files": [{"kind": "blackbox", "text": path.read_text()}]}
    assert written == {**times, "files": [{"kind": "blackbox", "path": str(path)}]}
