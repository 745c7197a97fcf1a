"""Whether a Prometheus runs as it must, and tells Alertmanager."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from wgfleet.cli import check
from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.beyond import judge_scraped
from wgfleet.cli.doctor.clocks import judge_clock
from wgfleet.cli.doctor.findings import Finding, fault, ok, some, unchecked, untold, warning
from wgfleet.cli.doctor.rules import judge_rules
from wgfleet.cli.doctor.targets import judge_probes, judge_targets
from wgfleet.cli.linting.reading import Severity, read_duration
from wgfleet.cli.probing import EVALUATION, RESEND_DELAY, duration_text

RESEND = "rules.alert.resend-delay"
CONFIGURATION, RULES = "prometheus.yml", "rules"
"""How the running configuration and the loaded rules are called where one of their lines is told."""


def judge_prometheus(prometheus: Part, receiver: Part, now: float) -> Iterator[Finding]:
    """Everything about one Prometheus."""
    if not prometheus.reached:
        yield fault(
            f"it was not reached: {prometheus.answers['ready'].error}",
            "start it, or mend --prometheus; while none runs, every state is frozen",
        )
        yield unchecked("its flags, configuration, rules, targets and Alertmanagers", "it was not reached")
        return
    ready = prometheus.answers["ready"]
    if not ready.good:
        yield fault(f"it is not ready: {ready.error}", "wait until it has read its storage, or see its log")
    version = prometheus.body("version")
    if version is not None:
        yield ok(f"Prometheus {version['data']['version']} answers")
    yield from judge_clock("its host", prometheus, receiver)
    yield from _judge_flags(prometheus)
    yield from judge_rules(prometheus, now)
    yield from _judge_files(prometheus)
    yield from judge_targets(prometheus, receiver)
    yield from judge_probes(prometheus, receiver)
    yield from judge_scraped(prometheus, receiver)
    yield from _judge_delivery(prometheus, receiver)


def _judge_flags(prometheus: Part) -> Iterator[Finding]:
    found = prometheus.body("flags")
    if found is None:
        yield untold("its flags", prometheus.why_not("flags"))
        return
    said = found["data"].get(RESEND, "1m")
    delay = read_duration(said)
    if delay is None or not EVALUATION <= delay <= RESEND_DELAY:
        yield fault(
            f"--{RESEND} is {said}, expected {duration_text(EVALUATION)} to {duration_text(RESEND_DELAY)}: the Watchdog comes too seldom",
            f"start it with --{RESEND}={duration_text(RESEND_DELAY)}",
        )
    else:
        yield ok(f"--{RESEND} is {said}")


def live_files(prometheus: Part) -> dict[str, str]:
    """The configuration that runs and the rules that are loaded, as the files that they were made of."""
    config, rules = prometheus.body("config"), prometheus.body("rules")
    texts = {} if config is None else {CONFIGURATION: str(config["data"]["yaml"])}
    if rules is not None and rules["data"]["groups"]:
        texts[RULES] = json.dumps({"groups": [_group(group) for group in rules["data"]["groups"]]})
    return texts


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": group["name"],
        "interval": duration_text(timedelta(seconds=float(group["interval"]))),
        "rules": [_rule(rule) for rule in group["rules"]],
    }


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    kind = "alert" if rule["type"] == "alerting" else "record"
    made = {kind: rule["name"], "expr": rule["query"], "labels": rule.get("labels") or {}}
    for key, name in (("duration", "for"), ("keepFiringFor", "keep_firing_for")):
        if rule.get(key):
            made[name] = duration_text(timedelta(seconds=float(rule[key])))
    return made


def _judge_files(prometheus: Part) -> Iterator[Finding]:
    texts = live_files(prometheus)
    if CONFIGURATION not in texts:
        yield untold("its configuration", prometheus.why_not("config"))
        return
    findings = check.check(texts)
    for one in findings:
        level = fault if one.severity is Severity.ERROR else warning
        # Only the file that one edits has lines, not what Prometheus makes of it.
        yield level(f"{one.file}: {one.field or 'the file'} is {one.value}", f"expected {one.expected}")
    if not findings:
        yield ok("its configuration and rules hold together")


def _judge_delivery(prometheus: Part, receiver: Part) -> Iterator[Finding]:
    found, said = prometheus.body("alertmanagers"), receiver.body("doctor")
    if found is None:
        yield untold("whom it tells of alerts", prometheus.why_not("alertmanagers"))
        return
    active = [one["url"] for one in found["data"]["activeAlertmanagers"]]
    if not active:
        yield fault(
            "it tells no Alertmanager", "name it under alerting.alertmanagers (`wgfleet render prometheus`)"
        )
        return
    yield ok(f"it tells {some(_hosts(active))}")
    unread = [
        host for host in _hosts(active) if said is not None and host not in _hosts(said["alertmanagers"])
    ]
    if said is not None and said["alertmanagers"] and unread:
        yield warning(
            f"it tells {some(unread)}, which the receiver does not read by that address",
            "name each Alertmanager in alertmanagers of receiver.toml, too",
        )
    yield from _judge_discovery(prometheus)


def _judge_discovery(prometheus: Part) -> Iterator[Finding]:
    found = prometheus.body("discovery")
    result = [] if found is None else found["data"]["result"]
    if result and float(result[0]["value"][1]) > 0:
        yield warning(
            "http_sd failed within the last 2 min",
            "see its log: is the receiver reached, and Prometheus's token (credentials_file) known to it?",
        )


def _hosts(urls: Sequence[str]) -> list[str]:
    return [urlsplit(url).netloc.replace("localhost", "127.0.0.1") for url in urls]
