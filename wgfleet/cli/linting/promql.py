"""As much of PromQL as is needed to see over which time a rule looks, and at which jobs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from wgfleet.cli.linting.reading import read_duration

_QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`"
_MATCHER = re.compile(rf"([A-Za-z_][\w:.]*)\s*(=~|!~|!=|=)\s*({_QUOTED}|[^\s,\"'`{{}}]*)")
_RANGE = re.compile(rf"probe_success\s*(?:\{{((?:{_QUOTED}|[^}}\"'`])*)\}})?\s*\[\s*([0-9a-z]+)\s*\]")
_AT_LEAST = re.compile(r"(>=?)\s*(?:bool\s+)?([0-9]+)")
_WORD = re.compile(r"[A-Za-z_:][\w:]*")
_COMMENT = re.compile(rf"({_QUOTED})|#[^\n]*")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    operator: str
    value: str

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy it; one that is absent is empty, as in Prometheus."""
        value = labels.get(self.label, "")
        if self.operator.endswith("~"):
            return (re.fullmatch(self.value, value) is not None) == (self.operator == "=~")
        return (value == self.value) == (self.operator == "=")


@dataclass(frozen=True, slots=True)
class ProbeRange:
    """`probe_success{…}[window]`."""

    matchers: tuple[Matcher, ...]
    window: timedelta


def read_matchers(text: str) -> tuple[Matcher, ...]:
    """The conditions between two braces, or as Alertmanager writes them.

    Raises:
        re.error: a regular expression in it is none.

    """
    found = tuple(
        Matcher(label, operator, _unquoted(value)) for label, operator, value in _MATCHER.findall(text)
    )
    for matcher in found:
        if matcher.operator.endswith("~"):
            re.compile(matcher.value)
    return found


def probe_ranges(expression: str) -> Iterator[ProbeRange]:
    """Every stretch of probes that the expression looks at."""
    for matchers, window in _RANGE.findall(without_comments(expression)):
        duration = read_duration(window)
        if duration is not None:
            yield ProbeRange(read_matchers(matchers), duration)


def counted(expression: str) -> int | None:
    """How many samples at least the expression asks for; None if it counts none."""
    text = without_comments(expression)
    if "count_over_time" not in text:
        return None
    compared = _AT_LEAST.findall(text.partition("count_over_time")[2])
    return max((int(number) + (operator == ">") for operator, number in compared), default=None)


def expanded(expression: str, records: Mapping[str, str]) -> str:
    """The expression, and those of the recording rules that it uses."""
    used, waiting = {"": expression}, [expression]
    while waiting:
        for word in _WORD.findall(without_comments(waiting.pop())):
            if word in records and word not in used:
                used[word] = records[word]
                waiting.append(records[word])
    return "\n".join(used.values())


def without_comments(expression: str) -> str:
    """The expression without its comments."""
    return _COMMENT.sub(lambda found: found[1] or "", expression)


def _unquoted(text: str) -> str:
    if text[:1] == "`":
        return text[1:-1]
    if text[:1] in {'"', "'"}:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
