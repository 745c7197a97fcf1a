"""Tests of exporter/__main__.py: the program itself, from outside."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.exporter import pages
from tests.exporter.pages import PRESHARED_KEY, PRIVATE_KEY, families, series

LAST_SECONDS = 20
"""Nothing here takes that long, even on a busy machine."""


@pytest.fixture
def port() -> int:
    """A port that is free, most probably also a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def fake_wg(tmp_path: Path) -> Path:
    """A folder whose `wg` says what stands beside it in `dump`, and then fails if there is a file `fail`."""
    script = f"#!/bin/sh\n/bin/cat {tmp_path}/dump\n[ -e {tmp_path}/fail ] && /bin/cat {tmp_path}/dump >&2 && exit 1\nexit 0\n"
    (tmp_path / "wg").write_text(script)
    (tmp_path / "wg").chmod(0o755)
    (tmp_path / "dump").write_text(pages.DUMP)
    return tmp_path


def command(port: int, *flags: str) -> list[str]:
    """How the exporter is started."""
    address = f"--web.listen-address=127.0.0.1:{port}"
    return [
        sys.executable,
        "-m",
        "exporter",
        "--interface=wg0",
        address,
        *flags,
    ]


@contextmanager
def running(port: int, path: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """An exporter that serves, with this folder as PATH."""
    environment = {**os.environ, "PATH": str(path)}
    with subprocess.Popen(
        command(port, *flags), env=environment, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            wait_until_open(port)
            yield started
        finally:
            started.kill()


def wait_until_open(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + LAST_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the exporter does not listen")


def scrape(port: int, query: str = "") -> str:
    """The page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LAST_SECONDS)
    try:
        connection.request("GET", f"/metrics{query}")
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()
    finally:
        connection.close()


def end(started: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Tell it to stop; its exit code, and all that it logged."""
    started.send_signal(how)
    _, said = started.communicate(timeout=LAST_SECONDS)
    return started.returncode, said


def test_it_serves_the_interface_and_itself(port: int, fake_wg: Path) -> None:
    """Every family of the page, and those of its own process."""
    with running(port, fake_wg):
        text = scrape(port)

    process = {name for name in families(text) if name.startswith("process_")}
    # Which the machine has not, or was not asked for.
    absent = {"wireguard_peer_info", "wireguard_peer_endpoint_info", "wireguard_peer_allowed_ips_info"}
    expected = {
        name
        for name in families(pages.WHOLE.read_text()) - absent
        if not name.startswith(("wireguard_worker_", "wireguard_interface_"))
    }
    assert expected <= families(text) - process
    assert {"wireguard_interface_up", "wireguard_interface_peers", "wireguard_worker_cpus"} <= families(text)
    assert {
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    } <= process


def test_a_part_of_the_page_can_be_asked_for(port: int, fake_wg: Path) -> None:
    """By name, as of every exporter."""
    with running(port, fake_wg):
        text = scrape(port, "?name[]=wireguard_interface_up&name[]=wireguard_exporter_build_info")

    assert families(text) == {"wireguard_interface_up", "wireguard_exporter_build_info"}


def test_the_age_of_handshakes_is_by_the_machines_clock(port: int, fake_wg: Path) -> None:
    """A peer that had one a moment ago is active."""
    (fake_wg / "dump").write_text(pages.DUMP.replace("1795362620", str(int(time.time()))))
    with running(port, fake_wg):
        values = series(scrape(port))

    assert values["wireguard_interface_active_peers", (("interface", "wg0"),)] == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_to(port: int, fake_wg: Path, how: signal.Signals) -> None:
    """Of systemd and of Ctrl-C: as a success, with no traceback."""
    with running(port, fake_wg) as started:
        code, said = end(started, how)

    assert code == 0
    assert said.endswith(f"info    serving metrics=http://127.0.0.1:{port}/metrics interfaces=wg0\n")
    assert said.count("\n") == 1


def test_a_reload_does_not_end_it(port: int, fake_wg: Path) -> None:
    """Its files are read again without being told."""
    with running(port, fake_wg) as started:
        started.send_signal(signal.SIGHUP)
        assert "wireguard_interface_peers" in scrape(port)
        assert end(started)[0] == 0


def test_it_ends_while_wg_hangs(port: int, fake_wg: Path) -> None:
    """A scrape that waits for a stopped WireGuard does not hold it up."""
    (fake_wg / "wg").write_text(f"#!/bin/sh\n: > {fake_wg}/asked\nexec /bin/sleep 8\n")
    with running(port, fake_wg) as started, socket.create_connection(("127.0.0.1", port)) as reader:
        reader.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        while not (fake_wg / "asked").exists():
            time.sleep(0.02)
        began = time.monotonic()
        code, _ = end(started)

    assert code == 0
    assert time.monotonic() - began < 5


def test_a_taken_port_ends_it_at_once(port: int, fake_wg: Path) -> None:
    """With what is wrong as its one line."""
    with running(port, fake_wg):
        second = subprocess.run(
            command(port), capture_output=True, text=True, timeout=LAST_SECONDS, check=False
        )

    expected = (
        f"wgfleet-exporter: cannot listen on 127.0.0.1:{port}: Address already in use; "
        f"`ss -ltnp sport = :{port}` shows who has it\n"
    )
    assert (second.returncode, second.stdout, second.stderr) == (1, "", expected)


def test_a_wrong_web_config_ends_it_like_a_wrong_flag(port: int, fake_wg: Path) -> None:
    """With 2, after which systemd does not start it again."""
    config = fake_wg / "web.yml"
    config.write_text("tls_server_confg: {}\n")

    ended = subprocess.run(
        [*command(port), "--web.config.file", config],
        capture_output=True,
        text=True,
        timeout=LAST_SECONDS,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"wgfleet-exporter: {config}: tls_server_confg: there is no such field")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_leaves_it(port: int, fake_wg: Path, log_format: str) -> None:
    """Neither by the page nor by the log: when all is well, when the dump is damaged, when `wg` prints it as an error."""
    damaged = [
        pages.DUMP,
        "",
        pages.DUMP[:60],
        pages.DUMP.replace("\t", " "),
        pages.DUMP.replace("1748", PRESHARED_KEY),
    ]
    seen = []
    with running(port, fake_wg, f"--log.format={log_format}") as started:
        for fails in (False, True):
            if fails:
                (fake_wg / "fail").touch()
            for dump in damaged:
                (fake_wg / "dump").write_text(dump)
                seen.append(scrape(port))
        _, said = end(started)

    assert said.count("collector failed") >= 6
    for text in (*seen, said):
        assert PRIVATE_KEY[:40] not in text
        assert PRESHARED_KEY[:40] not in text


def test_programs_can_read_its_log(port: int, fake_wg: Path) -> None:
    """A JSON object a line."""
    (fake_wg / "fail").touch()
    with running(port, fake_wg, "--log.format=json") as started:
        scrape(port)
        _, said = end(started)

    lines = [json.loads(line) for line in said.splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "serving"),
        ("error", "collector failed"),
    ]
