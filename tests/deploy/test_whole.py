"""What one file needs of another, as `wgfleet render --check` sees it."""

import pytest

from wgfleet.cli.check import check
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.settings import Settings

FILES = {f"{kind}.yml": rendered(kind, Settings()) for kind in (Kind.PROMETHEUS, Kind.RULES, Kind.BLACKBOX)}


def found(file: str, *replaced: tuple[str, str], alone: bool = False) -> list[str]:
    """What is found when these words stand in one of the files instead of others."""
    text = FILES[file]
    for before, after in replaced:
        assert before in text
        text = text.replace(before, after)
    return [str(finding) for finding in check({file: text} if alone else {**FILES, file: text})]


def cut(text: str, begin: str) -> tuple[str, str]:
    """From there to the end, replaced by nothing."""
    return text[text.index(begin) :], ""


@pytest.mark.parametrize(
    ("file", "replaced", "finding"),
    [
        (
            "prometheus.yml",
            ('rule_files:\n  - "rules.yml"\n', ""),
            "rule_files is not given, expected rules.yml: its rules are never evaluated",
        ),
        (
            "prometheus.yml",
            cut(FILES["prometheus.yml"], "scrape_configs:"),
            "scrape_configs is not given, expected jobs that probe: the rules have nothing to look at",
        ),
        (
            "prometheus.yml",
            ("target_label: __param_target", "target_label: instance"),
            "is without that step, expected a step with target_label: __param_target",
        ),
        (
            "rules.yml",
            ("- record: wgfleet:vantage_sane", "- record: wgfleet:other"),
            "nothing records wgfleet:vantage_sane, so this sees nothing",
        ),
        (
            "rules.yml",
            ("expr: vector(1) > 0", "expr: vector((1) > 0"),
            "is that of Watchdog, expected an expression whose brackets match",
        ),
    ],
)
def test_what_is_missing_between_files_is_found(file: str, replaced: tuple[str, str], finding: str) -> None:
    """
    It names what is missing and what comes of it.
    """
    assert any(finding in line for line in found(file, replaced))


def test_brackets_in_texts_and_comments_are_none() -> None:
    """
    A matcher may hold any character.
    """
    assert found("rules.yml", ("expr: vector(1) > 0", "expr: 'vector(1) > 0 # :-)'"), alone=True) == []
    assert found("rules.yml", ("expr: vector(1) > 0", "expr: 'count(up{a=\"(]\"}) > 0'"), alone=True) == []
