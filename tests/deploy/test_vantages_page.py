"""docs/vantages.md: its command renders, what it renders is right, and the daemons are given what was rendered."""

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.programs import REPOSITORY
from tests.deploy.rendering import wgfleet

PAGE = (REPOSITORY / "docs" / "vantages.md").read_text()
HOME = "/etc/prometheus/wgfleet"


@pytest.fixture
def files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the page's command writes."""
    found = re.search(r"bin/wgfleet (render all (?:.*\\\n)*.*)\n", PAGE)
    assert found
    command = found[1].replace("\\\n", " ").replace("--output-dir .", f"--output-dir {tmp_path}")
    assert wgfleet(command.replace("$PWD", HOME)) == 0
    capsys.readouterr()
    return {path.name: path.read_text() for path in tmp_path.iterdir()}


def test_what_it_renders_is_right(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Nothing is found in what the page's command writes.
    """
    assert wgfleet(f"render --check {' '.join(str(tmp_path / name) for name in files)}") == 0
    assert capsys.readouterr().out == "5 files: 0 errors, 0 warnings\n"


def test_daemons_listen_where_they_are_asked(files: dict[str, str]) -> None:
    """
    The arguments on the page name files that are written, and the addresses at which Prometheus looks for them.
    """
    arguments = " ".join(re.findall(r'ARGS="(.*)"', PAGE))
    jobs = {job["job_name"]: job for job in yaml.safe_load(files["prometheus.yml"])["scrape_configs"]}
    asked = {
        target
        for name in ("wgfleet-prometheus", "wgfleet-alertmanager", "wgfleet-blackbox")
        for targets in jobs[name]["static_configs"]
        for target in targets["targets"]
    }

    given = set(re.findall(rf"config\.file={HOME}/(\S+)", arguments))
    assert given == set(files) - {"rules.yml"}
    assert set(re.findall(r"--web\.listen-address=(\S+)", arguments)) == {
        address for address in asked if "10.98.0.2" not in address
    }


def test_each_vantage_has_its_probes(files: dict[str, str]) -> None:
    """
    Four kinds of probe from either host, by client certificate, and each host's canary is its own.
    """
    jobs = [job for job in yaml.safe_load(files["prometheus.yml"])["scrape_configs"] if "metrics_path" in job]

    assert len(jobs) == 8
    assert {job["tls_config"]["cert_file"] for job in jobs} == {f"{HOME}/vantage.pem"}
    assert [job["static_configs"][0]["targets"] for job in jobs if "static_configs" in job] == [
        ["192.0.2.1"],
        ["198.51.100.1"],
    ]
