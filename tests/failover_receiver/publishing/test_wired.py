"""A receiver as a process of its own that publishes: what is configured is driven, and what cannot be stops the start."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.failover_receiver.parts import BODY, LIMIT
from tests.failover_receiver.running import Running
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.anyio


async def test_what_is_published_is_what_is_served(tmp_path: Path) -> None:
    """To the byte, and after each change; the page of metrics says so."""
    file = tmp_path / "peer-set.jws"
    said: dict[str, Any] = {"file.path": str(file)}
    with Running(tmp_path / "receiver", **said) as running:
        async with running.ask() as http:
            (await http.put("/v1/workers/fra1", json=BODY)).raise_for_status()
            served = (await http.get("/v1/peer-set")).content

            wait_until(
                lambda: file.exists() and file.read_bytes() == served, LIMIT, "the file to be published"
            )

            page = (await http.get("/metrics")).text
            assert 'wgfleet_publisher_up{publisher="file"} 1.0' in page
            assert 'wgfleet_publisher_behind_seconds{publisher="file"} 0.0' in page


def test_a_publisher_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    """As a wrong configuration does: systemd does not try that again."""
    said: dict[str, Any] = {"mqtt.url": "mqtts://127.0.0.1", "mqtt.ca_file": "nowhere.pem"}
    running = Running(tmp_path / "receiver", **said)

    done = subprocess.run(
        [sys.executable, *running.program, "run", "--config", running.directory / "receiver.toml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )

    assert done.returncode == 2
    assert "mqtt.ca_file: " in done.stderr
    assert "nowhere.pem cannot be read: No such file or directory" in done.stderr
