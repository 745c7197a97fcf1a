"""YAML with the line of every field, and what is found in it.

Reading never fails on a wrong shape: what is not as expected is absent here, and shapes.py says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Self

import yaml

from wgfleet.cli.probing import parse_duration


class Severity(StrEnum):
    """Whether failover is broken by it, or something only worth knowing."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is not as it should be."""

    file: str
    line: int
    severity: Severity
    field: str
    value: str
    expected: str

    def __str__(self) -> str:
        """As compilers write it, so that editors find the line."""
        return f"{self.file}:{self.line}: {self.severity}: {self.field or 'the file'} is {self.value}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Field:
    """A value in a file, and where it stands."""

    file: str
    path: str
    node: yaml.Node

    @classmethod
    def parse(cls, file: str, text: str) -> Self | None:
        """The whole file; None if it is empty.

        Raises:
            yaml.YAMLError: it is no YAML, or more than one document.

        """
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if node is None else cls(file, "", node)

    @property
    def line(self) -> int:
        """Counted from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def kind(self) -> str:
        """`mapping`, `list`, or the tag of a scalar as `str`, `int`, `bool`, `null`."""
        if isinstance(self.node, yaml.MappingNode):
            return "mapping"
        if isinstance(self.node, yaml.SequenceNode):
            return "list"
        return str(self.node.tag).rpartition(":")[2]

    @property
    def text(self) -> str | None:
        """A scalar as it is written; None for anything else and for null."""
        return self.node.value if isinstance(self.node, yaml.ScalarNode) and self.kind != "null" else None

    @property
    def duration(self) -> timedelta | None:
        """A duration in the way of Prometheus and Alertmanager; None if it is none."""
        return read_duration(self.text or "")

    @property
    def pairs(self) -> list[tuple[str, "Field"]]:
        """A mapping's keys and values, with what it merges by `<<`; each key's last value counts."""
        found: dict[str, Field] = {}
        for key, value in self._nodes():
            if key.value == "<<":
                merged = Field(self.file, self.path, value)
                for source in merged.items or [merged]:
                    found = {**dict(source.pairs), **found}
            elif isinstance(key, yaml.ScalarNode):
                found[key.value] = Field(
                    self.file, f"{self.path}.{key.value}" if self.path else key.value, value
                )
        return list(found.items())

    @property
    def items(self) -> list["Field"]:
        """A list's values; empty for anything else."""
        if not isinstance(self.node, yaml.SequenceNode):
            return []
        return [
            Field(self.file, f"{self.path}[{number}]", node) for number, node in enumerate(self.node.value)
        ]

    def get(self, *keys: str) -> "Field | None":
        """The value at the end of these keys; None where there is none."""
        field: Field | None = self
        for key in keys:
            field = None if field is None else dict(field.pairs).get(key)
        return field

    def each(self, *keys: str) -> list["Field"]:
        """The values of the list at the end of these keys."""
        found = self.get(*keys)
        return [] if found is None else found.items

    def word(self, *keys: str, default: str = "") -> str:
        """The text at the end of these keys."""
        found = self.get(*keys)
        return default if found is None or found.text is None else found.text

    def repeated_keys(self) -> Iterator[tuple[str, int]]:
        """Keys that stand twice in one mapping, here or below, with the second one's line."""
        seen = set()
        for key, value in self._nodes():
            if key.value in seen and key.value != "<<":
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from Field(self.file, self.path, value).repeated_keys()
        for item in self.items:
            yield from item.repeated_keys()

    def error(self, expected: str, value: str | None = None) -> Finding:
        """Say that this breaks failover."""
        return self._finding(Severity.ERROR, expected, value)

    def warning(self, expected: str, value: str | None = None) -> Finding:
        """Say that this is worth a look."""
        return self._finding(Severity.WARNING, expected, value)

    def absent(self, key: str, expected: str, default: str = "not given") -> Finding:
        """Say that something which is not here breaks failover; `default` is what counts instead."""
        path = f"{self.path}.{key}" if self.path else key
        return Finding(self.file, self.line, Severity.ERROR, path, default, expected)

    def _finding(self, severity: Severity, expected: str, value: str | None) -> Finding:
        said = value if value is not None else self.text if self.text is not None else f"a {self.kind}"
        return Finding(self.file, self.line, severity, self.path, said, expected)

    def _nodes(self) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        return self.node.value if isinstance(self.node, yaml.MappingNode) else []


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that counts, wherever it comes from: said at a place, inherited, or the program's default."""

    value: str
    field: Field | None
    owner: Field
    key: str

    def error(self, expected: str) -> Finding:
        """Say what would be right, at the place where it is said or missing."""
        if self.field is not None:
            return self.field.error(expected, self.value)
        return self.owner.absent(self.key, expected, f"{self.value} (by default)")

    @property
    def duration(self) -> timedelta | None:
        """The value as a duration; None if it is none."""
        return read_duration(self.value)


def setting(owner: Field, key: str, default: str, *outer: Field | None) -> Setting:
    """The value of `key` here, or else in the first of `outer` that says it, or else the default."""
    for place in (owner, *outer):
        found = None if place is None else place.get(key)
        if found is not None and found.text is not None:
            return Setting(found.text, found, owner, key)
    return Setting(default, None, owner, key)


def read_duration(text: str) -> timedelta | None:
    """A duration as Prometheus reads it, also `0` and years; None if it is none."""
    if text == "0":
        return timedelta()
    years = re.match(r"([0-9]{1,4})y", text)
    rest = text[years.end() :] if years else text
    try:
        return timedelta(days=365 * int(years[1]) if years else 0) + (
            parse_duration(rest) if rest or not years else timedelta()
        )
    except (ValueError, OverflowError):
        return None
