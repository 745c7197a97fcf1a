"""The shape of each kind of file, as far as failover depends on it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from wgfleet.cli.linting.reading import Field, Finding, Severity


class FileKind(StrEnum):
    """Which program reads a file."""

    ALERTMANAGER = "alertmanager"
    RULES = "rules"
    BLACKBOX = "blackbox"
    WEB = "web"
    PROMETHEUS = "prometheus"


_SIGNS: Mapping[FileKind, frozenset[str]] = {
    FileKind.ALERTMANAGER: frozenset({"route", "receivers"}),
    FileKind.RULES: frozenset({"groups"}),
    FileKind.BLACKBOX: frozenset({"modules"}),
    FileKind.WEB: frozenset({"tls_server_config", "http_server_config", "basic_auth_users"}),
    FileKind.PROMETHEUS: frozenset({"scrape_configs", "alerting", "rule_files", "global"}),
}
"""Keys by one of which a file is known; the first kind that has one (`global` is Alertmanager's, too)."""

_SHAPES: Mapping[FileKind, Mapping[str, str]] = {
    FileKind.PROMETHEUS: {
        "global": "mapping",
        "global.scrape_interval": "duration",
        "global.scrape_timeout": "duration",
        "global.evaluation_interval": "duration",
        "global.external_labels": "mapping",
        "rule_files": "list",
        "alerting": "mapping",
        "alerting.alert_relabel_configs": "list",
        "alerting.alertmanagers": "list",
        "scrape_configs": "list",
        "scrape_configs[]": "mapping",
        "scrape_configs[].job_name": "text",
        "scrape_configs[].scrape_interval": "duration",
        "scrape_configs[].scrape_timeout": "duration",
        "scrape_configs[].params": "mapping",
        "scrape_configs[].relabel_configs": "list",
        "scrape_configs[].http_sd_configs": "list",
    },
    FileKind.RULES: {
        "groups": "list",
        "groups[]": "mapping",
        "groups[].name": "text",
        "groups[].interval": "duration",
        "groups[].rules": "list",
        "groups[].rules[]": "mapping",
        "groups[].rules[].expr": "text",
        "groups[].rules[].for": "duration",
        "groups[].rules[].keep_firing_for": "duration",
        "groups[].rules[].labels": "mapping",
    },
    FileKind.ALERTMANAGER: {
        "route": "mapping",
        "receivers": "list",
        "receivers[]": "mapping",
        "receivers[].name": "text",
        "receivers[].webhook_configs": "list",
        "inhibit_rules": "list",
    },
    FileKind.BLACKBOX: {"modules": "mapping"},
    FileKind.WEB: {},
}


def kind_of(document: Field) -> FileKind | None:
    """Which program reads this file, by what is in it."""
    keys = {key for key, _ in document.pairs}
    if "tests" in keys:  # promtool's, which names rule_files, too.
        return None
    return next((kind for kind, signs in _SIGNS.items() if signs & keys), None)


def check_shape(kind: FileKind, document: Field) -> Iterator[Finding]:
    """Fields of another type than the program wants, and keys that it would refuse."""
    for key, line in document.repeated_keys():
        yield Finding(document.file, line, Severity.ERROR, key, "given twice", "each key once")
    for path, shape in _SHAPES[kind].items():
        for field in _at(document, path.replace("[]", ".[]").split(".")):
            if not _fits(field, shape):
                yield field.error(_EXPECTED[shape])


def _at(field: Field, steps: list[str]) -> Iterator[Field]:
    if not steps:
        yield field
    elif steps[0] == "[]":
        for item in field.items:
            yield from _at(item, steps[1:])
    elif (found := field.get(steps[0])) is not None:
        yield from _at(found, steps[1:])


_EXPECTED: Mapping[str, str] = {
    "mapping": "a mapping",
    "list": "a list",
    "text": "a text",
    "duration": "a duration, as 500ms, 30s or 1m30s",
}


def _fits(field: Field, shape: str) -> bool:
    if field.kind == "null":  # Left empty: as if it were not there.
        return True
    if shape == "duration":
        return field.duration is not None
    return field.text is not None if shape == "text" else field.kind == shape
