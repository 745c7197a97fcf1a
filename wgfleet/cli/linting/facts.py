"""What the files say together: how each probe is made, and which rules there are.

A rule's window stands in one file, the probe's interval in another and its timeout in a third.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from wgfleet.cli.linting.reading import Field, Setting, setting
from wgfleet.cli.linting.shapes import FileKind
from wgfleet.cli.probing import LONGEST_INTERVAL, MOST_SCRAPE_ROOM

SCRAPE_INTERVAL, SCRAPE_TIMEOUT, EVALUATION_INTERVAL = "1m", "10s", "1m"
"""Prometheus's defaults."""

OUR_PROBE = re.compile(r"wgfleet-(tunnel|icmp|tcp|canary)")


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """A job of Prometheus that goes through a blackbox exporter."""

    field: Field
    label: str
    """The label `job` that its series have in the end."""
    vantage: str
    module: str
    interval: Setting
    timeout: Setting
    """Of the scrape."""

    @property
    def ours(self) -> bool:
        """Whether the shipped rules look at it."""
        return OUR_PROBE.fullmatch(self.label) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, with the group that it is in."""

    field: Field
    group: Field
    expression: str

    @property
    def name(self) -> str:
        """The alert's name, or the recorded series's."""
        return self.field.word("alert") or self.field.word("record")

    @property
    def action(self) -> str:
        """What the receiver is to do; empty for what is for people."""
        return self.field.word("labels", "action") if self.field.get("alert") else ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All files together."""

    documents: Sequence[tuple[FileKind, Field]]
    jobs: Sequence[ProbeJob] = ()
    rules: Sequence[Rule] = ()
    modules: dict[str, Field] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Sequence[tuple[FileKind, Field]]) -> "Facts":
        """Gather what the checks ask for."""
        return cls(
            documents,
            jobs=tuple(
                job
                for file in _of(documents, FileKind.PROMETHEUS)
                for job in _jobs(file, _outer(documents, file))
            ),
            rules=tuple(rule for file in _of(documents, FileKind.RULES) for rule in _rules(file)),
            modules={
                name: module
                for file in _of(documents, FileKind.BLACKBOX)
                for name, module in (file.get("modules") or file).pairs
            },
        )

    def files(self, kind: FileKind) -> list[Field]:
        """The files of one kind."""
        return _of(self.documents, kind)

    def outer(self, file: Field) -> Field | None:
        """What counts where a job does not say it: a file that has scrapes alone is part of another one."""
        return _outer(self.documents, file)

    @property
    def probe_interval(self) -> timedelta:
        """The shortest interval of the probes that rules look at; the longest that there may be where none are known: no false alarm."""
        intervals = [
            job.interval.duration for job in self.jobs if job.ours and job.interval.duration is not None
        ]
        return min(intervals, default=LONGEST_INTERVAL)

    @property
    def evaluation_interval(self) -> str:
        """How often a group is evaluated that does not say it."""
        said = [
            file.word("global", "evaluation_interval", default=EVALUATION_INTERVAL)
            for file in self.files(FileKind.PROMETHEUS)
        ]
        return said[0] if said else EVALUATION_INTERVAL

    def probe_timeout(self, job: ProbeJob) -> timedelta | None:
        """How long a probe of this job takes at most.

        Without blackbox's file it is taken to be as much less than the scrape's as it can be: no false alarm.
        """
        scrape = job.timeout.duration
        module = self.modules.get(job.module)
        said = None if module is None else module.get("timeout")
        probe = None if said is None else said.duration
        if scrape is None:
            return probe
        if probe:  # 0 is blackbox's word for "as long as the scrape".
            return min(probe, scrape)
        return scrape if module is not None else max(scrape - MOST_SCRAPE_ROOM, timedelta())


def _of(documents: Iterable[tuple[FileKind, Field]], kind: FileKind) -> list[Field]:
    return [document for one, document in documents if one is kind]


def _outer(documents: Iterable[tuple[FileKind, Field]], file: Field) -> Field | None:
    files = [file, *_of(documents, FileKind.PROMETHEUS)]
    return next((outer for one in files if (outer := one.get("global")) is not None), None)


def _jobs(file: Field, outer: Field | None) -> Iterator[ProbeJob]:
    for job in file.each("scrape_configs"):
        if job.word("metrics_path") != "/probe":
            continue
        interval = setting(job, "scrape_interval", SCRAPE_INTERVAL, outer)
        modules = job.each("params", "module")
        yield ProbeJob(
            job,
            label=_constant_label(job, "job") or job.word("job_name"),
            vantage=_constant_label(job, "vantage"),
            module=(modules[0].text or "") if modules else "http_2xx",
            interval=interval,
            timeout=_scrape_timeout(job, interval, outer),
        )


def _scrape_timeout(job: Field, interval: Setting, outer: Field | None) -> Setting:
    """Prometheus takes the interval where that is shorter than a timeout that the job itself does not say."""
    timeout = setting(job, "scrape_timeout", SCRAPE_TIMEOUT, outer)
    if job.get("scrape_timeout") is None and (timeout.duration or timedelta()) > (
        interval.duration or timedelta.max
    ):
        return Setting(interval.value, None, job, "scrape_timeout")
    return timeout


def _constant_label(job: Field, label: str) -> str:
    """The value that every series of the job has for a label; empty if that cannot be told."""
    for relabelling in reversed(job.each("relabel_configs")):
        if relabelling.word("target_label") == label and relabelling.get("source_labels") is None:
            return relabelling.word("replacement")
    values = {targets.word("labels", label) for targets in job.each("static_configs")}
    return values.pop() if len(values) == 1 else ""


def _rules(file: Field) -> Iterator[Rule]:
    for group in file.each("groups"):
        for rule in group.each("rules"):
            yield Rule(rule, group, rule.word("expr"))
