"""Whether rules see what they need: windows that hold the probes, evaluated often enough, with labels that last."""

import re
from collections.abc import Iterator
from datetime import timedelta

from wgfleet.cli.linting.facts import Facts, ProbeJob, Rule
from wgfleet.cli.linting.promql import ProbeRange, counted, expanded, probe_ranges
from wgfleet.cli.linting.reading import Finding, Setting, setting
from wgfleet.cli.linting.shapes import FileKind
from wgfleet.cli.probing import EVALUATION, LEAST_MARGIN, WATCHDOG_INTERVAL, duration_text

DECIDING = frozenset({"failover", "admit", "hold"})
"""The actions of alerts that take a worker out, let one in, or keep both from happening."""

VERDICTS = frozenset({"failover", "admit"})

ACTIONS = DECIDING | {"spare", "watchdog"}
"""All that the receiver knows."""

MEASURED = re.compile(r"\$value|\.Value\b|\bquery\b|\bhumanize")

_SLOWEST = {**dict.fromkeys(DECIDING, EVALUATION), "watchdog": WATCHDOG_INTERVAL}


def check_rules(facts: Facts) -> Iterator[Finding]:
    """Everything about rules, over all rule files together."""
    records = {rule.name: rule.expression for rule in facts.rules if rule.field.get("record")}
    for rule in facts.rules:
        yield from _check_labels(rule)
        if rule.action:
            yield from _check_pace(rule, facts)
        if rule.action in DECIDING:
            yield from _check_windows(rule, expanded(rule.expression, records), facts)
    files = facts.files(FileKind.RULES)
    acting = {rule.action for rule in facts.rules}
    if files and acting & VERDICTS:
        for action in ("failover", "admit", "watchdog"):
            if action not in acting:
                yield files[0].absent(
                    "groups", _MISSING[action], f"without any alert that has the label action: {action}"
                )


_MISSING = {
    "failover": "one for a worker that does not answer: nothing else takes it out",
    "admit": "one that fires as long as a worker is well: nothing else lets a worker in, a resolve does not",
    "watchdog": "one that always fires: without it the receiver is blind",
}


def _check_labels(rule: Rule) -> Iterator[Finding]:
    labels = rule.field.get("labels")
    for name, label in [] if labels is None else labels.pairs:
        text = label.text or ""
        if "{{" in text and MEASURED.search(text):
            yield label.error(
                "no measured value: each new value makes another alert of it; say it in an annotation"
            )
        elif name == "action" and rule.field.get("alert") is not None and text not in ACTIONS:
            yield label.error(
                f"one of {', '.join(sorted(ACTIONS))}: the receiver refuses what it does not know"
            )


def _check_pace(rule: Rule, facts: Facts) -> Iterator[Finding]:
    slowest = _SLOWEST.get(rule.action)
    pace = setting(rule.group, "interval", facts.evaluation_interval)
    if not pace.duration:  # 0 is Prometheus's word for "as all others".
        pace = Setting(facts.evaluation_interval, pace.field, rule.group, "interval")
    if slowest is not None and pace.duration is not None and pace.duration > slowest:
        yield pace.error(
            f"{duration_text(slowest)} at most for {rule.name}: what is known shall not wait for its evaluation"
        )
    if rule.action in VERDICTS:
        wait = rule.field.get("for")
        if wait is not None and wait.duration:
            yield wait.error(
                "no waiting: it counts time and not probes, and fires after one failure and then silence"
            )
        keep = rule.field.get("keep_firing_for")
        if keep is not None and keep.duration:
            yield keep.error("none: an Up and a Down that outlive what they say would fire together")


def _check_windows(rule: Rule, expression: str, facts: Facts) -> Iterator[Finding]:
    where = rule.field.get("expr") or rule.field
    try:
        ranges = list(dict.fromkeys(probe_ranges(expression)))
    except re.error as fault:
        yield where.error(f"regular expressions that are some: {fault}", f"of {rule.name}")
        return
    threshold = counted(expression)
    if rule.action in VERDICTS and ranges and threshold is None:
        yield where.error(
            "count_over_time(…) >= 3 beside it: without it one sample and then silence decide",
            f"that of {rule.name}",
        )
    wrong: dict[tuple[timedelta, str], dict[str, None]] = {}
    for one in ranges:
        jobs = [job for job in facts.jobs if _sees(one, job)]
        if facts.jobs and not jobs:
            yield where.error(
                f"probes that a job makes: {', '.join(sorted({job.label for job in facts.jobs}))}",
                f"that of {rule.name}, about probe_success{_text(one)}",
            )
        for expected, names in _wrong_jobs(one, jobs, threshold or 3, facts).items():
            wrong.setdefault((one.window, expected), {}).update(dict.fromkeys(names))
    for (
        window,
        expected,
    ), named in wrong.items():  # Once, though several selectors of the rule see the same jobs.
        yield where.error(f"{expected} for {', '.join(named)}", f"[{duration_text(window)}] in {rule.name}")


def _wrong_jobs(one: ProbeRange, jobs: list[ProbeJob], threshold: int, facts: Facts) -> dict[str, list[str]]:
    """What window would be right, and for which jobs this one is not."""
    wrong: dict[str, list[str]] = {}
    for job in jobs:
        timeout = facts.probe_timeout(job)
        if job.interval.duration is not None and timeout is not None:
            for expected in _wrong_window(one.window, threshold, job.interval.duration, timeout):
                wrong.setdefault(expected, []).append(job.field.word("job_name"))
    return wrong


def _wrong_window(
    window: timedelta, threshold: int, interval: timedelta, timeout: timedelta
) -> Iterator[str]:
    """What would be right, if the window is not."""
    shortest, longest = threshold * interval + timeout + LEAST_MARGIN, (threshold + 1) * interval
    if not shortest <= window < longest:
        yield (
            f"[{duration_text(shortest)}] or more ({threshold} x interval + timeout + {duration_text(LEAST_MARGIN)}, because "
            f"a failed probe is stored only when it has timed out) and less than [{duration_text(longest)}], which holds one "
            "probe more,"
        )


def _sees(one: ProbeRange, job: ProbeJob) -> bool:
    return all(matcher.fits({"job": job.label}) for matcher in one.matchers if matcher.label == "job")


def _text(one: ProbeRange) -> str:
    said = ",".join(f'{matcher.label}{matcher.operator}"{matcher.value}"' for matcher in one.matchers)
    return f"{{{said}}}" if said else ""
