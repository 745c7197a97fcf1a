"""Whether Prometheus scrapes and probes what the receiver tells it to, and reaches it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.findings import Finding, fault, ok, some, unchecked, untold, warning
from wgfleet.cli.doctor.receiver import NO_RECEIVER
from wgfleet.cli.linting.reading import read_duration

JOBS: Mapping[str, str] = {
    "wgfleet-worker": "the exporters",
    "wgfleet-tunnel": "the probes through the tunnel",
    "wgfleet-icmp": "the pings of public addresses",
    "wgfleet-tcp": "the TCP probes of public addresses",
    "wgfleet-canary": "the canaries",
}
DECIDING = "wgfleet-tunnel"
VITAL = frozenset({DECIDING})
"""Without these no verdict is made, unless rules.yml was rendered for another probe."""

SD = "does scrape_configs have the job (`wgfleet render prometheus`), and does its http_sd reach the receiver with Prometheus's token?"


def judge_targets(prometheus: Part, receiver: Part) -> Iterator[Finding]:
    """Each job of ours, against the receiver's list."""
    found = prometheus.body("targets")
    if found is None:
        yield untold("its targets", prometheus.why_not("targets"))
        return
    targets = found["data"]["activeTargets"]
    for job in JOBS:
        wanted = receiver.body(job)
        if wanted is None:
            yield unchecked(f"targets of {job}", NO_RECEIVER)
        else:
            yield from _judge_job(job, [one for one in targets if one["labels"].get("job") == job], wanted)
    yield from _judge_interval(targets, receiver)


def _judge_job(job: str, targets: Sequence[Any], wanted: Sequence[Any]) -> Iterator[Finding]:
    bad = fault if job in VITAL else warning
    expected = {_key(one["targets"][0], one["labels"]) for one in wanted}
    there = {_key(one["discoveredLabels"].get("__address__", ""), one["labels"]) for one in targets}
    # A canary may be given by the configuration, and then the receiver's does not count.
    missing = expected - there if job != "wgfleet-canary" or not there else set()
    extra = there - expected if job != "wgfleet-canary" else set()
    if missing:
        yield bad(f"{job} does not ask {some(_named(missing))}", SD)
    if extra:
        yield warning(
            f"{job} asks {some(_named(extra))}, which the receiver does not name", f"if that lasts: {SD}"
        )
    ill = {
        _key(one["discoveredLabels"].get("__address__", ""), one["labels"]): one
        for one in targets
        if one["health"] != "up"
    }
    for key, one in sorted(ill.items()):
        name = next(iter(_named({key})))
        if one["health"] == "unknown":
            yield warning(f"{job} has not asked {name} yet", "look again in a moment")
        elif job == "wgfleet-worker":
            yield warning(
                f"the exporter of {name} is not scraped: {one['lastError']}",
                "docs/runbooks/WireGuardExporterDown.md",
            )
        else:
            yield bad(
                f"{job}: blackbox does not probe {name}: {one['lastError']}",
                "does the blackbox exporter run? is its module there (blackbox.yml)?",
            )
    if expected and not missing and not ill:
        yield ok(f"{job}: {JOBS[job]} of {some(sorted(_named(expected)))}")
    elif not expected and not there:
        yield warning(
            f"{job} has nothing to ask",
            "set canaries in receiver.toml" if job == "wgfleet-canary" else "add a worker",
        )


def _key(address: str, labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("worker") or labels.get("canary") or "", address


def _named(keys: set[tuple[str, str]]) -> Iterator[str]:
    for name, address in sorted(keys):
        yield name if not address or name == address else f"{name} ({address})" if name else address


def _judge_interval(targets: Sequence[Any], receiver: Part) -> Iterator[Finding]:
    said = receiver.body("doctor")
    found = {one.get("scrapeInterval", "") for one in targets if one["labels"].get("job") == DECIDING} - {""}
    if said is None or not found:
        return
    believed = said["probe_interval"]
    for text in sorted(found):
        real = read_duration(text)
        if real is not None and real.total_seconds() != believed:
            yield fault(
                f"it probes every {text}, the receiver believes every {believed:g} s",
                f"set probe_interval = {real.total_seconds():g} in receiver.toml, and restart it: it waits six of them for a verdict",
            )
        else:
            yield ok(f"it probes every {text}, as the receiver believes")


def judge_probes(prometheus: Part, receiver: Part) -> Iterator[Finding]:
    """Whether workers answer: which are only down, and where the way there is not made yet."""
    found, said = prometheus.body("probes"), receiver.body("doctor")
    if found is None or said is None:
        return
    answers: dict[str, dict[str, bool]] = {}
    for one in found["data"]["result"]:
        labels = one["metric"]
        if labels.get("worker") in said["workers"]:
            jobs = answers.setdefault(labels["worker"], {})
            jobs[labels["job"]] = jobs.get(labels["job"], False) or one["value"][1] == "1"
    silent = sorted(name for name, jobs in answers.items() if not jobs.get(DECIDING, True))
    if silent and len(silent) == len(answers):
        yield fault(
            "no worker answers through the tunnel",
            "is the vantage's own WireGuard interface up, and each worker its peer (`wg show`)?",
        )
        return
    new = [name for name in silent if not said["workers"][name]["proven"]]
    for name in silent:
        other = (
            "its public address answers"
            if answers[name].get("wgfleet-icmp")
            else "nor does its public address"
        )
        do = (
            "make the vantage a peer of it, and it one of the vantage"
            if name in new
            else "docs/runbooks/WireGuardWorkerDown.md"
        )
        yield warning(f"{name} does not answer through the tunnel; {other}", do)
    if answers and not silent:
        yield ok("each worker answers through the tunnel")
