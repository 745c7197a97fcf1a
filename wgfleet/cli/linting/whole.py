"""Whether the files together are a whole: rules that are loaded, probes that they see, series that are recorded."""

import re
from collections.abc import Iterator

from wgfleet.cli.linting.facts import Facts, Rule
from wgfleet.cli.linting.reading import Field, Finding
from wgfleet.cli.linting.shapes import FileKind

RECORDED = re.compile(r"\bwgfleet:[a-zA-Z0-9_:]+")
"""A series that our rules record: colons stand in such names alone."""
QUOTED = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` """, re.VERBOSE)
BRACKETS = {")": "(", "]": "[", "}": "{"}


def check_whole(facts: Facts) -> Iterator[Finding]:
    """Everything that one file needs of another."""
    recorded = {rule.name for rule in facts.rules if rule.field.get("record") is not None}
    for rule in facts.rules:
        yield from _check_expression(rule, recorded)
    prometheis, rules = facts.files(FileKind.PROMETHEUS), facts.files(FileKind.RULES)
    for job in facts.jobs:
        if job.ours and "__param_target" not in _targets_of(job.field):
            yield job.field.absent(
                "relabel_configs",
                "a step with target_label: __param_target: without it blackbox is not told what to probe",
                "without that step",
            )
    # A file of scrapes alone is part of another one, which is not here.
    if not rules or not any(file.get("global") or file.get("rule_files") for file in prometheis):
        return
    # By which path Prometheus reads a file is not known here, so only that it reads none is.
    if not any(file.each("rule_files") for file in prometheis):
        yield prometheis[0].absent("rule_files", f"{rules[0].file}: its rules are never evaluated")
    if any(rule.action for rule in facts.rules) and not any(job.ours for job in facts.jobs):
        yield prometheis[0].absent("scrape_configs", "jobs that probe: the rules have nothing to look at")


def _targets_of(job: Field) -> set[str]:
    return {step.word("target_label") for step in job.each("relabel_configs")}


def _check_expression(rule: Rule, recorded: set[str]) -> Iterator[Finding]:
    where = rule.field.get("expr") or rule.field
    code = QUOTED.sub('""', rule.expression)
    if not _is_balanced(code):
        yield where.error("an expression whose brackets match", f"that of {rule.name}")
    for name in sorted(set(RECORDED.findall(code)) - recorded):
        yield where.error(
            f"series that some rule records: nothing records {name}, so this sees nothing",
            f"that of {rule.name}",
        )


def _is_balanced(code: str) -> bool:
    """Whether each bracket has its own; comments and texts must be gone."""
    opened: list[str] = []
    for line in code.splitlines():
        for character in line.partition("#")[0]:
            if character in BRACKETS.values():
                opened.append(character)
            elif character in BRACKETS and (not opened or opened.pop() != BRACKETS[character]):
                return False
    return not opened
