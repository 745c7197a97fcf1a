"""Whether Prometheus probes in time, asks the receiver with its token, and keeps alerts what they are."""

import re
from collections import Counter
from collections.abc import Iterator

from wgfleet.cli.linting.facts import SCRAPE_INTERVAL, Facts, ProbeJob
from wgfleet.cli.linting.reading import Field, Finding, Severity, setting
from wgfleet.cli.linting.shapes import FileKind
from wgfleet.cli.places import IDENTITY
from wgfleet.cli.probing import LONGEST_INTERVAL, SHORTEST_INTERVAL, TIMEOUT_OFFSET, duration_text

DISCOVERY = "/v1/sd/"
"""Where the receiver tells Prometheus what to scrape."""

REPLICA = re.compile(r".*(replica|prometheus).*")
"""Labels that differ between two Prometheis of the same fleet."""


def check_prometheus(facts: Facts) -> Iterator[Finding]:
    """Everything about Prometheus's own file."""
    for file in facts.files(FileKind.PROMETHEUS):
        yield from _check_delivery(file)
        yield from _check_labels(file)
        for job in file.each("scrape_configs"):
            yield from _check_scrape(job, facts.outer(file))
            yield from _check_discovery(job)
        names = Counter(job.word("job_name") for job in file.each("scrape_configs"))
        for job in file.each("scrape_configs"):
            if names[job.word("job_name")] > 1:
                yield (job.get("job_name") or job).error("each job's name once: Prometheus refuses the file")
    yield from _check_probes(facts)


def _check_delivery(file: Field) -> Iterator[Finding]:
    # A file may hold scrapes alone; what evaluates rules must tell somebody.
    if not file.each("rule_files"):
        return
    if not file.each("alerting", "alertmanagers"):
        yield file.absent(
            "alerting.alertmanagers", "Alertmanager's address: without it nothing that fires is heard"
        )


def _check_labels(file: Field) -> Iterator[Finding]:
    outer = file.get("global", "external_labels")
    relabelling = file.each("alerting", "alert_relabel_configs")
    for name, label in [] if outer is None else outer.pairs:
        if _survives(name, relabelling):
            severity = Severity.ERROR if REPLICA.fullmatch(name) else Severity.WARNING
            expected = (
                f"to be dropped by alerting.alert_relabel_configs (action: labeldrop, regex: {name}): the labels of an "
                "alert are its identity, and two Prometheis would make two alerts of one"
            )
            yield Finding(label.file, label.line, severity, label.path, label.text or "not a text", expected)
    for name in sorted(IDENTITY):
        if not _survives(name, relabelling):
            yield relabelling[0].error(
                f"to keep the label {name}: without it the receiver does not know what an alert is about",
                "dropping it",
            )


def _survives(label: str, relabelling: list[Field]) -> bool:
    for step in relabelling:
        try:
            named = re.fullmatch(step.word("regex", default="(.*)"), label) is not None
        except re.error:
            continue
        if step.word("action") == ("labeldrop" if named else "labelkeep"):
            return False
    return True


def _check_scrape(job: Field, outer: Field | None) -> Iterator[Finding]:
    interval = setting(job, "scrape_interval", SCRAPE_INTERVAL, outer)
    timeout = job.get("scrape_timeout")
    if timeout is None or timeout.duration is None or interval.duration is None:
        return
    if timeout.duration > interval.duration:
        yield timeout.error(
            f"{interval.value} at most, the scrape_interval of {job.word('job_name')}: Prometheus refuses the file"
        )


def _check_discovery(job: Field) -> Iterator[Finding]:
    for source in job.each("http_sd_configs"):
        if DISCOVERY not in source.word("url"):
            continue
        authorization = source.get("authorization")
        if authorization is None:
            yield source.absent("authorization", "Prometheus's token (type: Bearer, credentials_file: …)")
        elif authorization.get("type") is None:
            yield authorization.absent(
                "type", "Bearer: Prometheus 2.42 sends the token without it here", "not given"
            )


def _check_probes(facts: Facts) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], ProbeJob] = {}
    for job in (job for job in facts.jobs if job.ours):
        yield from _check_probe(job, facts)
        key = (job.field.file, job.label, job.vantage)
        if key in seen:
            yield job.field.error(
                f"a vantage of its own (relabel_configs, target_label: vantage): {seen[key].field.word('job_name')} makes "
                "the same series",
                f"{job.field.word('job_name')} from the vantage {job.vantage!r}",
            )
        seen.setdefault(key, job)


def _check_probe(job: ProbeJob, facts: Facts) -> Iterator[Finding]:
    interval, scrape = job.interval.duration, job.timeout.duration
    if interval is not None and not SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL:
        yield job.interval.error(
            f"{duration_text(SHORTEST_INTERVAL)} to {duration_text(LONGEST_INTERVAL)}: Prometheus forgets a series that "
            "has had no sample for 5m"
        )
    if not facts.files(FileKind.BLACKBOX):
        return
    module = facts.modules.get(job.module)
    if module is None:
        yield (job.field.get("params") or job.field).error(
            f"a module of blackbox: {', '.join(facts.modules)}", f"module {job.module!r}"
        )
        return
    said = module.get("timeout")
    probe = None if said is None else said.duration
    if scrape is None or not probe or probe >= scrape:  # The last is said of blackbox's file.
        return
    if scrape < probe + TIMEOUT_OFFSET:
        yield job.timeout.error(
            f"{duration_text(probe + TIMEOUT_OFFSET)} or more: the probe's own timeout and "
            f"{duration_text(TIMEOUT_OFFSET)} for its answer (--timeout-offset=0.05); a scrape that gives up first leaves "
            "no sample, and no sample is no alert"
        )
