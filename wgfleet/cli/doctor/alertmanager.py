"""Whether an Alertmanager hears Prometheus and tells the receiver."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml

from wgfleet.cli import check
from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.clocks import judge_clock, timestamp
from wgfleet.cli.doctor.findings import Finding, fault, ok, seconds, unchecked, untold, warning
from wgfleet.cli.linting.alertmanager import ALERTS, WEBHOOK
from wgfleet.cli.linting.promql import Matcher
from wgfleet.cli.linting.reading import Severity

CONFIGURATION = "alertmanager.yml"
HIDDEN = "<secret>"
"""What newer Alertmanagers show of a webhook's URL."""

OURS = "wgfleet"
"""What `wgfleet render` calls the receiver's own receiver."""

WATCHDOG_SECONDS = 20.0
"""As long as the receiver believes it."""


def judge_alertmanager(
    alertmanager: Part, receiver: Part, probing: Mapping[str, str], now: float, *, prometheus: bool
) -> Iterator[Finding]:
    """Everything about one Alertmanager; `probing` is Prometheus's own file, if one was reached."""
    if not alertmanager.reached:
        yield fault(
            f"it was not reached: {alertmanager.answers['status'].error}",
            "start it, or mend --alertmanager; while none runs, every state is frozen",
        )
        yield unchecked("its routes, silences and Watchdog", "it was not reached")
        return
    status = alertmanager.body("status")
    if status is None:
        yield untold("its status", alertmanager.why_not("status"))
        return
    yield ok(f"Alertmanager {status['versionInfo']['version']} answers")
    yield from judge_clock("its host", alertmanager, receiver)
    yield from _judge_cluster(status["cluster"])
    yield from _judge_routes(str(status["config"]["original"]), probing, receiver)
    yield from _judge_watchdog(alertmanager, now, prometheus=prometheus)
    yield from _judge_silences(alertmanager.body("silences") or [], receiver)


def _judge_cluster(cluster: Mapping[str, Any]) -> Iterator[Finding]:
    if cluster["status"] == "settling":
        yield warning(
            "its cluster is settling",
            "look again in a moment; alone, it is started with --cluster.listen-address=",
        )
    elif cluster["status"] == "ready":
        yield ok(f"its cluster has {len(cluster.get('peers') or [])} members")


def _judge_routes(text: str, probing: Mapping[str, str], receiver: Part) -> Iterator[Finding]:
    shown, hidden = _with_urls(text, receiver.url)
    findings = [one for one in check.check({**probing, CONFIGURATION: shown}) if one.file == CONFIGURATION]
    for one in findings:
        level = fault if one.severity is Severity.ERROR else warning
        yield level(f"{one.file}: {one.field or 'the file'} is {one.value}", f"expected {one.expected}")
    if not any(one.severity is Severity.ERROR for one in findings):
        yield ok("it routes each alert with an action to the receiver, in time")
    if hidden:
        yield unchecked(
            "whether its webhook is this receiver's",
            "this Alertmanager does not show a webhook's URL; whether webhooks come is told above",
        )
    else:
        yield from _judge_address(shown, receiver)


def _with_urls(text: str, receiver: str) -> tuple[str, bool]:
    """The configuration with the receiver's URL where it is hidden, and whether it was."""
    config = yaml.safe_load(text)
    named = [one for one in config.get("receivers") or [] if one.get("webhook_configs")]
    ours = [one for one in named if OURS in one.get("name", "")] or (named if len(named) == 1 else [])
    hidden = [hook for one in ours for hook in one["webhook_configs"] if hook.get("url") == HIDDEN]
    for hook in hidden:
        hook["url"] = f"{receiver}{WEBHOOK}"
    return (yaml.safe_dump(config, sort_keys=False), True) if hidden else (text, False)


def _judge_address(text: str, receiver: Part) -> Iterator[Finding]:
    urls = [
        str(hook.get("url", ""))
        for one in yaml.safe_load(text).get("receivers") or []
        for hook in one.get("webhook_configs") or []
        if urlsplit(str(hook.get("url", ""))).path.rstrip("/") == WEBHOOK
    ]
    if not urls:  # Said already.
        return
    if any(_place(url) == _place(receiver.url) for url in urls):
        yield ok(f"its webhook goes to {receiver.url}")
    else:
        there = ", ".join(
            f"{urlsplit(url).scheme}://{urlsplit(url).netloc.rpartition('@')[2]}" for url in urls
        )
        yield warning(
            f"its webhook goes to {there}, this command asks {receiver.url}", "is that the same receiver?"
        )


def _place(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    host = (parts.hostname or "").replace("localhost", "127.0.0.1")
    return parts.scheme, host, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _judge_watchdog(alertmanager: Part, now: float, *, prometheus: bool) -> Iterator[Finding]:
    held = alertmanager.body("watchdog")
    ours = [one for one in held or [] if one["labels"].get("action") == "watchdog"]
    if ours:
        # By its own clock, which gave the time.
        age = now + (alertmanager.clock or 0.0) - max(timestamp(one["updatedAt"]) for one in ours)
        if age <= WATCHDOG_SECONDS:
            yield ok(f"it heard the Watchdog {seconds(max(0.0, age))} ago")
            return
        yield fault(
            f"it heard the Watchdog {seconds(age)} ago",
            "see Prometheus above: does it reach this Alertmanager?",
        )
    elif not prometheus:
        yield unchecked("whether it hears the Watchdog", "no Prometheus was reached")
    else:
        yield fault(
            "it holds no Watchdog",
            "see Prometheus above: are the rules loaded, and does it tell this Alertmanager?",
        )


def _judge_silences(silences: Sequence[Any], receiver: Part) -> Iterator[Finding]:
    said = receiver.body("doctor")
    names = list(said["workers"]) if said is not None else []
    for silence in silences:
        if silence["status"]["state"] != "active":
            continue
        muted = sorted(
            {
                name
                for name, labels in _alerts(names)
                if all(_fits(one, labels) for one in silence["matchers"])
            }
        )
        if muted:
            yield ok(
                f"a silence of {silence['createdBy']} until {silence['endsAt'][:16]}Z mutes {', '.join(muted)}, for people "
                "only: the receiver reads silenced alerts, too"
            )


def _alerts(workers: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    for name, labels in ALERTS.items():
        for worker in workers if "worker" in labels else [""]:
            yield name, {"alertname": name, **labels, **({"worker": worker} if worker else {})}


def _fits(matcher: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    equal = matcher.get("isEqual", True)
    operator = ("=~" if equal else "!~") if matcher["isRegex"] else ("=" if equal else "!=")
    return Matcher(matcher["name"], operator, matcher["value"]).fits(labels)
