"""`wgfleet render --check`: what is wrong with an operator's own files, with the line and what would be right."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import yaml

from wgfleet.cli.linting.alertmanager import check_alertmanager
from wgfleet.cli.linting.blackbox import check_blackbox, check_web
from wgfleet.cli.linting.facts import Facts
from wgfleet.cli.linting.prometheus import check_prometheus
from wgfleet.cli.linting.reading import Field, Finding, Severity
from wgfleet.cli.linting.rules import check_rules
from wgfleet.cli.linting.shapes import FileKind, check_shape, kind_of
from wgfleet.cli.linting.whole import check_whole
from wgfleet.wording import counted

CHECKS: Sequence[Callable[[Facts], Iterator[Finding]]] = (
    check_prometheus,
    check_rules,
    check_alertmanager,
    check_blackbox,
    check_web,
    check_whole,
)


def run(paths: Iterable[str], *, as_json: bool) -> int:
    """Check the files and print what was found; 1 if something breaks failover, 2 if a file cannot be read."""
    texts = {}
    for path in dict.fromkeys(paths):
        try:
            texts[path] = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            print(f"wgfleet render: cannot read {path}: {reason}", file=sys.stderr)
            return 2
    findings = check(texts)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if as_json:
        print(json.dumps({"files": list(texts), "findings": list(map(asdict, findings))}, indent=2))
    else:
        print("".join(f"{finding}\n" for finding in findings), end="")
        print(f"{counted(len(texts), 'file')}: {counted(errors, 'error')}, ", end="")
        print(counted(len(findings) - errors, "warning"))
    return 1 if errors else 0


def check(texts: dict[str, str]) -> list[Finding]:
    """Everything that is found in these files together, by their names."""
    findings: list[Finding] = []
    documents = []
    for file, text in texts.items():
        document = _parsed(file, text)
        if isinstance(document, Finding):
            findings.append(document)
            continue
        kind = kind_of(document)
        if kind is None:
            findings.append(document.error(f"one of {', '.join(FileKind)}", "of no known kind"))
            continue
        findings += check_shape(kind, document)
        documents.append((kind, document))
    facts = Facts.of(documents)
    for one in CHECKS:
        findings += one(facts)
    return sorted(dict.fromkeys(findings), key=lambda finding: (finding.file, finding.line))


def _parsed(file: str, text: str) -> Field | Finding:
    expected = "one YAML document"
    try:
        document = Field.parse(file, text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return Finding(file, line, Severity.ERROR, "file", f"no YAML ({error.problem})", expected)
    except yaml.YAMLError as error:
        return Finding(file, 1, Severity.ERROR, "file", f"no YAML ({error})", expected)
    return document or Finding(file, 1, Severity.ERROR, "file", "empty", expected)
