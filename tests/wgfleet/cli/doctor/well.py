"""What a chain answers that is well, as values; a test changes what is ill."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import yaml

from wgfleet.cli.doctor.asking import ALERTMANAGER, PROMETHEUS, RECEIVER, Answer, Asked, Part
from wgfleet.cli.doctor.findings import Finding, Level
from wgfleet.cli.linting.reading import read_duration
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.settings import Settings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
RECEIVER_URL = "http://127.0.0.1:9587"
WORKERS = {"ams1": "192.0.2.1", "fra1": "192.0.2.2"}

DEAD = Answer(error="All connection attempts failed")


def at(seconds: float) -> str:
    """A time relative to noon, as Go writes it."""
    return datetime.fromtimestamp(NOON + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f123Z")


def doctor() -> dict[str, Any]:
    """What the receiver expects and hears."""
    return {
        "version": "0.1.0",
        "now": NOON,
        "holder": {"name": "operator", "role": "operator", "expires_at": None},
        "fleet": "test",
        "monitoring": "live",
        "frozen_by": None,
        "probe_interval": 30.0,
        "watchdog_timeout": 20.0,
        "watchdog_heard_at": NOON - 3.0,
        "webhook_at": NOON - 3.0,
        "read_at": NOON - 2.0,
        "alertmanagers": ["http://127.0.0.1:9093"],
        "prometheis": ["http://127.0.0.1:9090"],
        "clients": {"heard": 12, "behind": 0},
        "client_list": [1, 7],
        "workers": {
            name: {
                "state": "serving",
                "reason": "up",
                "proven": True,
                "monitored": True,
                "acked_at": NOON - 30.0,
                "client_list": [1, 7],
                "follows": True,
            }
            for name in WORKERS
        },
    }


def discovered(job: str) -> list[dict[str, Any]]:
    """The receiver's own list of what a job shall ask."""
    if job == "wgfleet-canary":
        return [{"targets": ["192.0.2.254"], "labels": {"canary": "192.0.2.254"}}]
    return [{"targets": [address], "labels": {"worker": name}} for name, address in WORKERS.items()]


def receiver(said: Mapping[str, Any] | None = None, clock: float = 0.0, /, **answers: Answer) -> Part:
    """The receiver, with what it says and how it answers where that is not well."""
    bodies = {
        "alive": {},
        "ready": {},
        "doctor": doctor() if said is None else said,
        **{job: discovered(job) for job in RECEIVER if job.startswith("wgfleet-")},
    }
    return Part(RECEIVER_URL, _answers(bodies, answers, clock))


def targets() -> list[dict[str, Any]]:
    """What Prometheus asks."""
    return [
        {
            "labels": {"job": job, **one["labels"]},
            "discoveredLabels": {"__address__": one["targets"][0]},
            "health": "up",
            "lastError": "",
            "scrapeInterval": "30s",
        }
        for job in RECEIVER
        if job.startswith("wgfleet-")
        for one in discovered(job)
    ]


def groups(clock: float = 0.0) -> list[dict[str, Any]]:
    """The rules as Prometheus tells them, whose clock is so many seconds ahead."""
    return [
        {
            "name": group["name"],
            "interval": _seconds(group.get("interval", "1s")),
            "lastEvaluation": at(clock - 1.0),
            "evaluationTime": 0.01,
            "rules": [
                {
                    "type": "alerting" if "alert" in rule else "recording",
                    "name": rule.get("alert") or rule["record"],
                    "query": rule["expr"],
                    "duration": _seconds(rule.get("for", "0s")),
                    "labels": rule.get("labels", {}),
                    "health": "ok",
                }
                for rule in group["rules"]
            ],
        }
        for group in yaml.safe_load(rendered(Kind.RULES, Settings()))["groups"]
    ]


def _seconds(text: str) -> float:
    read = read_duration(text)
    assert read is not None
    return read.total_seconds()


def prometheus(clock: float = 0.0, /, **answers: Answer) -> Part:
    """A Prometheus."""
    bodies = {
        "ready": None,
        "version": data({"version": "2.42.0"}),
        "flags": data({"rules.alert.resend-delay": "5s"}),
        "config": data({"yaml": rendered(Kind.PROMETHEUS, Settings())}),
        "targets": data({"activeTargets": targets()}),
        "rules": data({"groups": groups(clock)}),
        "alertmanagers": data({"activeAlertmanagers": [{"url": "http://127.0.0.1:9093/api/v2/alerts"}]}),
        "probes": probes(
            {(job, name): "1" for job in ("wgfleet-tunnel", "wgfleet-icmp") for name in WORKERS}
        ),
        "followers": data({"result": []}),
        "stores": data({"result": []}),
        "discovery": data({"result": [{"metric": {}, "value": [NOON, "0"]}]}),
    }
    return Part("http://127.0.0.1:9090", _answers(bodies, answers, clock))


def probes(values: Mapping[tuple[str, str], str]) -> Any:
    """What the probes of each job and worker said last."""
    return data(
        {
            "result": [
                {"metric": {"job": job, "worker": name, "vantage": "main"}, "value": [NOON, value]}
                for (job, name), value in values.items()
            ]
        }
    )


def alertmanager(clock: float = 0.0, file: str | None = None, /, **answers: Answer) -> Part:
    """An Alertmanager, with its file."""
    bodies = {
        "ready": None,
        "status": {
            "versionInfo": {"version": "0.25.0"},
            "cluster": {"status": "disabled", "peers": []},
            "config": {"original": file or rendered(Kind.ALERTMANAGER, Settings())},
        },
        "silences": [],
        "watchdog": [
            {"labels": {"alertname": "Watchdog", "action": "watchdog"}, "updatedAt": at(-2.0 + clock)}
        ],
    }
    return Part("http://127.0.0.1:9093", _answers(bodies, answers, clock))


def dead(part: Part) -> Part:
    """The same, but nobody is there."""
    return replace(part, answers=dict.fromkeys(part.answers, DEAD))


def good(body: Any) -> Answer:
    """An answer that is as it should be."""
    return Answer(200, copy.deepcopy(body), clock=0.0)


def data(body: Any) -> Any:
    """As Prometheus wraps it."""
    return {"status": "success", "data": body}


def asked(
    first: Part | None = None, second: Iterable[Part] | None = None, third: Iterable[Part] | None = None
) -> Asked:
    """All of it: the receiver, the Prometheis, the Alertmanagers."""
    prometheis = [prometheus()] if second is None else list(second)
    return Asked(first or receiver(), prometheis, [alertmanager()] if third is None else list(third), NOON)


def ill(findings: Iterable[Finding]) -> list[tuple[Level, str]]:
    """What is not well, and how bad it is."""
    return [(finding.level, finding.what) for finding in findings if finding.level is not Level.OK]


def _answers(
    bodies: Mapping[str, Any], answers: Mapping[str, Answer], clock: float = 0.0
) -> dict[str, Answer]:
    known = {*RECEIVER, *PROMETHEUS, *ALERTMANAGER}
    assert {*bodies, *answers} <= known
    well = {question: Answer(200, body, clock=clock) for question, body in bodies.items()}
    return {**well, **dict(_spelt(answers))}


def _spelt(answers: Mapping[str, Answer]) -> Iterator[tuple[str, Answer]]:
    yield from ((name.replace("_", "-"), answer) for name, answer in answers.items())
