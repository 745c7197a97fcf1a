"""`wgfleet render`: the committed files, the command line and its refusals."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.programs import REPOSITORY
from tests.deploy.refusals import threshold_refusal, timeout_refusal
from tests.deploy.stories import stories
from wgfleet.cli.monitoring import Deciding, Kind
from wgfleet.cli.probing import Probing
from wgfleet.cli.render import add_parser

DEPLOY = REPOSITORY / "deploy"
COMMITTED = {
    Kind.PROMETHEUS: DEPLOY / "prometheus" / "prometheus.yml",
    Kind.RULES: DEPLOY / "prometheus" / "rules.yml",
    Kind.ALERTMANAGER: DEPLOY / "alertmanager" / "alertmanager.yml",
    Kind.BLACKBOX: DEPLOY / "blackbox" / "blackbox.yml",
}

PACE = "--interval 5s --timeout 1s500ms"
RECEIVER = "--receiver https://receiver.example:9443"
TARGETS = (
    "--blackbox '[::1]:9115' --alertmanager 192.0.2.1:9093 --alertmanager 192.0.2.2:9093 --vantage home "
    "--rules /etc/rules.yml"
)
TOKEN = "--token-file '/etc/my tokens/it'"
ALERTS = "--runbooks https://wiki.example/wg --load-limit 0.7"
EVERY_OPTION = f"{PACE} {RECEIVER} {TARGETS} {TOKEN} {ALERTS}"


def wgfleet(command: str) -> int:
    parser = argparse.ArgumentParser(prog="wgfleet")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(shlex.split(command))
    return int(args.run(args))


def rendered(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert wgfleet(command) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", Kind)
def test_committed(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The committed files are what renders by default.
    """
    assert COMMITTED[kind].read_text() == rendered(f"render {kind}", capsys)


def test_committed_stories() -> None:
    """
    The committed stories are those of the defaults.
    """
    told = (DEPLOY / "prometheus" / "rules.test.yml").read_text()

    assert told == stories(Probing(), Deciding.TUNNEL)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("options", ["", EVERY_OPTION, "--threshold 4 --deciding tcp --interval 1s"])
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
        for kind in Kind
    ]

    assert first_lines == [
        "# wgfleet render prometheus --interval 30s --timeout 2s",
        "# wgfleet render rules --interval 30s --timeout 2s --threshold 3 --deciding tunnel",
        "# wgfleet render alertmanager --interval 30s --timeout 2s",
        "# wgfleet render blackbox --interval 30s --timeout 2s",
        f"# wgfleet render prometheus {PACE} {RECEIVER} {TARGETS} {TOKEN}",
        f"# wgfleet render rules {PACE} --threshold 3 --deciding tunnel {ALERTS}",
        f"# wgfleet render alertmanager {PACE} {RECEIVER} {TOKEN}",
        f"# wgfleet render blackbox {PACE}",
    ]


def test_every_probe_job(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A probe asks the receiver for its targets, goes through blackbox, and outlasts the probe's own timeout.
    """
    config = yaml.safe_load(rendered(f"render prometheus {EVERY_OPTION}", capsys))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}

    for probe, module in {"tunnel": "icmp", "icmp": "icmp", "tcp": "tcp", "canary": "icmp"}.items():
        assert jobs.pop(f"wgfleet-{probe}") == {
            "job_name": f"wgfleet-{probe}",
            "metrics_path": "/probe",
            "params": {"module": [module]},
            "scrape_timeout": "1s700ms",
            "http_sd_configs": [sd(f"/v1/sd/probes?probe={probe}")],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "vantage", "replacement": "home"},
                {"target_label": "__address__", "replacement": "[::1]:9115"},
            ],
        }
    assert jobs == {
        "wgfleet-receiver": {
            "job_name": "wgfleet-receiver",
            "scheme": "https",
            "authorization": {"type": "Bearer", "credentials_file": "/etc/my tokens/it"},
            "static_configs": [{"targets": ["receiver.example:9443"]}],
        },
        "wgfleet-worker": {"job_name": "wgfleet-worker", "http_sd_configs": [sd("/v1/sd/workers")]},
    }


def sd(path: str) -> dict[str, Any]:
    return {
        "url": f"https://receiver.example:9443{path}",
        "refresh_interval": "5s",
        "authorization": {"type": "Bearer", "credentials_file": "/etc/my tokens/it"},
    }


def test_the_rest_of_prometheus(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Everything is scraped at the probes' interval, rules run every second, and every Alertmanager is told.
    """
    config = yaml.safe_load(rendered(f"render prometheus {EVERY_OPTION}", capsys))
    del config["scrape_configs"]

    assert config == {
        "global": {"scrape_interval": "5s", "evaluation_interval": "1s"},
        "rule_files": ["/etc/rules.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": ["192.0.2.1:9093", "192.0.2.2:9093"]}]}]
        },
    }


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
        "A worker that dies is reported within 18s500ms. The receiver is blind after 20s without the Watchdog, and for "
        "one worker after 30s without a verdict on it.\n"
    )
    assert {path.name: path.read_text() for path in made.iterdir()} == {
        "prometheus.yml": rendered("render prometheus --interval 5s --token-file /p", capsys),
        "rules.yml": rendered("render rules --interval 5s", capsys),
        "alertmanager.yml": rendered("render alertmanager --interval 5s --token-file /a", capsys),
        "blackbox.yml": rendered("render blackbox --interval 5s", capsys),
    }


PROBING_5S = {
    "threshold": 3,
    "interval": 5.0,
    "timeout": 2.0,
    "scrape_timeout": 2.2,
    "window": 17.5,
    "evaluation": 1.0,
    "detection": 18.5,
    "watchdog_silence": 20.0,
    "worker_silence": 30.0,
}


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    As JSON it says what was made and the times in seconds; a file that was not written is in it.
    """
    path = tmp_path / "b.yml"
    shown = json.loads(rendered("render blackbox --interval 5s --json", capsys))
    written = json.loads(rendered(f"render blackbox --interval 5s --json --output {path}", capsys))

    assert shown == {"probing": PROBING_5S, "files": [{"kind": "blackbox", "text": path.read_text()}]}
    assert written == {"probing": PROBING_5S, "files": [{"kind": "blackbox", "path": str(path)}]}


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ("--interval 30", "interval: '30' is not a duration: as 500ms, 30s or 1m30s"),
        ("--timeout ''", "timeout: '' is not a duration: as 500ms, 30s or 1m30s"),
        ("--interval 50ms", "interval is 50ms, expected 100ms to 2m"),
        ("--interval 2s --timeout 2s", timeout_refusal("2s", longest="1s950ms", interval="2s")),
        ("--threshold 1", threshold_refusal(1)),
        ("--threshold three", "threshold is 'three', expected a whole number"),
        ("--threshold -3", "threshold is '-3', expected a whole number"),
        ("--deciding http", "deciding is 'http', expected tunnel, icmp, tcp"),
        (
            "--receiver 127.0.0.1:9587",
            "receiver is '127.0.0.1:9587', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://receiver",
            "receiver is 'http://receiver', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://u:p@receiver:9587",
            "receiver is 'http://u:p@receiver:9587', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://receiver:9587/v1",
            "receiver is 'http://receiver:9587/v1', expected http://host:port or https://host:port",
        ),
        (
            "--receiver ftp://receiver:21",
            "receiver is 'ftp://receiver:21', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://[::1",
            "receiver is 'http://[::1', expected http://host:port or https://host:port",
        ),
        (
            "--blackbox 127.0.0.1",
            "blackbox: '127.0.0.1' is not an endpoint: host:port with a port from 1 to 65535, as 192.0.2.1:51820",
        ),
        (
            "--alertmanager 127.0.0.1:9093 --alertmanager ::1:9093",
            "alertmanager: '::1:9093' is not an endpoint: an IPv6 address stands in brackets, as [2001:db8::1]:51820",
        ),
        (
            "--vantage 'my home'",
            "vantage: 'my home' is not a name: lower-case letters, digits and inner hyphens, 1 to 63 of them",
        ),
        ("--rules ''", "rules is '', expected a path on one line"),
        *(
            (
                f"--runbooks '{url}'",
                f"runbooks is '{url}', expected a folder's URL, as https://wiki.example/runbooks",
            )
            for url in (
                "docs",
                "ftp://wiki.example",
                "https://",
                "http://[::1",
                "https://wiki.example/my books",
            )
        ),
        ("--load-limit much", "load_limit is 'much', expected a number"),
        *(
            (
                f"--load-limit {ratio}",
                f"load_limit is {ratio}, expected a number above 0 and up to 1: it is a share of what a worker can carry",
            )
            for ratio in ("0", "1.01", "nan")
        ),
    ],
)
@pytest.mark.parametrize("kind", [Kind.PROMETHEUS, Kind.ALERTMANAGER])
def test_refusals(kind: Kind, options: str, refusal: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    What cannot work is refused with the field, its value and what would be right, and nothing is written.
    """
    assert wgfleet(f"render {kind} {options}") == 2
    assert capsys.readouterr() == ("", f"wgfleet render: {refusal}\n")


@pytest.mark.parametrize("kind", [Kind.PROMETHEUS, Kind.ALERTMANAGER])
def test_token_file_of_two_lines(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A path that would break out of the comment with the command in it is refused.
    """
    assert wgfleet(f"render {kind} --token-file 'a\nb'") == 2
    assert capsys.readouterr().err == (
        f"wgfleet render: {kind}_token_file is 'a\\nb', expected a path on one line\n"
    )


def test_what_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A file that cannot be written is named.
    """
    assert wgfleet(f"render rules --output {tmp_path}/none/rules.yml") == 1
    assert capsys.readouterr() == (
        "",
        f"wgfleet render: cannot write {tmp_path}/none/rules.yml: No such file or directory\n",
    )
