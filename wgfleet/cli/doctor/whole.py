"""All checks, part by part, in the order in which one mends them."""

import re
from collections.abc import Callable, Iterator
from functools import partial

from wgfleet.cli.doctor.alertmanager import judge_alertmanager
from wgfleet.cli.doctor.asking import Asked
from wgfleet.cli.doctor.beyond import judge_beyond
from wgfleet.cli.doctor.findings import Finding, Group, fault
from wgfleet.cli.doctor.prometheus import judge_prometheus, live_files
from wgfleet.cli.doctor.receiver import judge_monitoring, judge_receiver
from wgfleet.cli.doctor.workers import judge_workers

BEYOND = "other receivers, publishers and followers"
"""A part that a fleet need not have."""


def judge(asked: Asked) -> tuple[Group, ...]:
    """What was found of each part."""
    receiver, now = asked.receiver, asked.at
    alive = [prometheus for prometheus in asked.prometheis if prometheus.reached]
    # By how often Prometheus probes it is judged how long Alertmanager may wait.
    probing = _understood(partial(live_files, alive[0])) if alive else {}
    return (
        _group("receiver", partial(judge_receiver, receiver, now)),
        _group("monitoring, as the receiver hears it", partial(judge_monitoring, receiver)),
        _group("workers and clients", partial(judge_workers, receiver)),
        *(group for group in [_group(BEYOND, partial(judge_beyond, receiver))] if group.findings),
        *(
            _group(f"Prometheus {one.url}", partial(judge_prometheus, one, receiver, now))
            for one in asked.prometheis
        ),
        *(
            _group(
                f"Alertmanager {one.url}",
                partial(judge_alertmanager, one, receiver, probing, now, prometheus=bool(alive)),
            )
            for one in asked.alertmanagers
        ),
    )


NOT_UNDERSTOOD = (AttributeError, IndexError, KeyError, TypeError, ValueError, re.error)


def _understood(read: Callable[[], dict[str, str]]) -> dict[str, str]:
    try:
        return read()
    except NOT_UNDERSTOOD:
        return {}  # Said where that part is judged.


def _group(title: str, judged: Callable[[], Iterator[Finding]]) -> Group:
    findings: list[Finding] = []
    try:
        findings.extend(judged())
    except NOT_UNDERSTOOD as error:
        findings.append(
            fault(
                f"an answer of it is not understood ({type(error).__name__}: {error})",
                "is it what its address says it is, and of a version that is known here?",
            )
        )
    return Group(title, tuple(findings))
