"""Tests that the page's streams do not keep the receiver from stopping: as a process, over real sockets."""

from pathlib import Path

import httpx

from failover_receiver.access import Role
from tests.failover_receiver.parts import LIMIT
from tests.failover_receiver.running import Running


def test_an_open_page_ends_cleanly_when_the_receiver_stops(tmp_path: Path) -> None:
    """Its stream is ended, not cut off; and the receiver waits for nobody."""
    with (
        Running(tmp_path / "receiver") as running,
        httpx.Client(base_url=running.url, timeout=LIMIT, trust_env=False) as browser,
    ):
        browser.post("/sign-in", data={"token": running.secret(Role.OPERATOR)})
        with browser.stream("GET", "/page/events") as stream:
            lines = stream.iter_lines()
            assert "event: page" in lines  # Reads so far.

            status = running.stop()

            assert status == 0
            # A connection that is cut off would raise here.
            assert [line for line in lines if line.startswith("event: ")] == []
