"""Every alert leads to a page that says what to do, and the pages are true as far as a program can tell."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from exporter import metrics as exporter_metrics
from failover_receiver.following.metrics import FollowerMetrics
from failover_receiver.metrics import Metrics
from tests.deploy.programs import REPOSITORY
from tests.deploy.promtools import GENERATIONS, groups_of, said_by
from wgfleet.cli.__main__ import _parser

FOLDER = REPOSITORY / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page != INDEX)
RULES = [
    rule
    for group in groups_of((REPOSITORY / "deploy" / "prometheus" / "rules.yml").read_text())
    for rule in group["rules"]
]
SEVERITIES = {rule["alert"]: rule["labels"]["severity"] for rule in RULES if "alert" in rule}
HEADINGS = ["What it means", "What has already happened", "What to look at", "What to do"]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    """
    Nobody is sent to a page that is not there, and no page is left of an alert that is gone.
    """
    assert {page.stem for page in PAGES} == set(SEVERITIES)


def test_the_index_has_every_page() -> None:
    """
    The index leads to each page, and names the alert's severity as the rules do.
    """
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|", INDEX.read_text(), re.MULTILINE)

    assert {(name, page, severity) for name, page, severity in rows} == {
        (name, name, severity) for name, severity in SEVERITIES.items()
    }
    assert len(rows) == len(SEVERITIES)


@each_page
def test_headings(page: Path) -> None:
    """
    A page answers the same four questions in the same order, each with something.
    """
    title, *sections = re.split(r"^#+ ", page.read_text(), flags=re.MULTILINE)[1:]
    told = [section.split("\n", 1) for section in sections]

    assert title.strip() == page.stem
    assert [heading for heading, _ in told] == HEADINGS
    assert [heading for heading, text in told if not text.strip()] == []


@pytest.mark.parametrize("page", [*PAGES, INDEX], ids=lambda page: page.stem)
def test_links(page: Path) -> None:
    """
    Every link leads to a file of the repository.
    """
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())

    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("generation", GENERATIONS)
def test_queries(generation: int, tmp_path: Path) -> None:
    """
    Every query is PromQL.
    """
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(_queries())]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}))

    assert f"{len(rules)} rules found" in said_by(generation, "check", "rules", file)


def test_metrics() -> None:
    """
    Every metric of ours in a query exists.
    """
    ours = {family.name for family in exporter_metrics.ALL} | {
        rule["record"] for rule in RULES if "record" in rule
    }
    for metric in (*Metrics().registry.collect(), *FollowerMetrics().registry.collect()):
        ours |= {metric.name, f"{metric.name}_total", *(sample.name for sample in metric.samples)}
    asked = {
        name
        for query in _queries()
        for name in re.findall(r"\b(?:wireguard|wgfleet)[_:][\w:]+", re.sub(r'"[^"]*"', "", query))
    }

    assert asked
    assert asked - ours == set()


def test_commands() -> None:
    """
    The operator's command takes every command line that a page tells to type.
    """
    typed = {
        line
        for page in [*PAGES, INDEX]
        for line in re.findall(r"`(wgfleet [^`]*)`", _flowing(page.read_text()))
    }

    assert len(typed) > 5
    for line in sorted(typed):
        _parser().parse_args(shlex.split(line)[1:])


def _flowing(text: str) -> str:
    """Without the line breaks that fell into a command."""
    return re.sub(r"\n *", " ", text)


def _queries() -> list[str]:
    """Each line of each query block."""
    blocks = re.compile(r"^```promql\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [
        line for page in PAGES for block in blocks.findall(page.read_text()) for line in block.splitlines()
    ]
