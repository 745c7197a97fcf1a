"""However a lab's Python ends, nothing of the lab is left: no process, no namespace, no folder."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.network import Network
from tests.lab.waiting import WaitedInVainError, wait_until

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]

# The nest is a program with a child of its own, which no parent-death signal reaches.
LAB = """
import signal, time
from tests.lab.network import Network
signal.signal(signal.SIGINT, signal.default_int_handler)  # Ignored by what a script runs in the background.
print("begins", flush=True)
with Network(workers=2, clients=1, vantages=2) as net:
    net.service.spawn("nest", ["sh", "-c", "sleep 1000 & sleep 1000"])
    net.monitoring.forward(1)
    net.clients["c1"].traffic()
    print(net.directory, flush=True)
    time.sleep(1000)
"""

GONE_SECONDS = 20.0
"""A few tenths are enough on a quiet machine; on a busy one the kernel takes its time over namespaces."""


class Traces:
    """What can be seen of the labs whose temporary folder is this one; others may run beside us."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._links = set(socket.if_nameindex())
        self._names = _named_namespaces()
        self._namespaces: set[str] = set()

    def processes(self) -> dict[int, str]:
        """All that have inherited the folder as TMPDIR, with their commands, but for the Python of the lab itself."""
        sought = f"TMPDIR={self._folder}".encode()
        everybody = Path("/proc").glob("[0-9]*")
        ours = [path for path in everybody if sought in _look(path / "environ").split(b"\0")]
        commands = {int(path.name): _look(path / "cmdline").replace(b"\0", b" ").decode() for path in ours}
        return {pid: command for pid, command in commands.items() if "tests.lab.network" not in command}

    def note_namespaces(self) -> None:
        """Remember the namespaces of its processes that are not our own."""
        seen = {_namespace(Path(f"/proc/{pid}")) for pid in self.processes()}
        self._namespaces |= seen - {_namespace(Path("/proc/self")), ""}
        assert len(self._namespaces) >= 7

    def seen(self) -> dict[str, object]:
        """What is left; all of it empty when it is gone."""
        everybody = {_namespace(path) for path in Path("/proc").glob("[0-9]*")}
        left = {
            "processes": self.processes(),
            "namespaces": self._namespaces & everybody,
            "named namespaces": _named_namespaces() - self._names,
            "folders": list(self._folder.iterdir()),
            "interfaces": set(socket.if_nameindex()) - self._links,
        }
        return {what: value for what, value in left.items() if value}


def _look(path: Path) -> bytes:
    with contextlib.suppress(OSError):  # It ended while we looked.
        return path.read_bytes()
    return b""


def _named_namespaces() -> set[str]:
    """Those that `ip netns` lists, and those that are mounted anywhere else."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    mounted = [line for line in Path("/proc/self/mounts").read_text().splitlines() if " nsfs " in line]
    return {*listed.splitlines(), *mounted}


def _namespace(process: Path) -> str:
    with contextlib.suppress(OSError):
        return str((process / "ns" / "net").readlink())
    return ""


@pytest.fixture
def traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    """Traces of this test's labs, gone after it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    traces = Traces(tmp_path)
    yield traces
    with contextlib.suppress(WaitedInVainError):
        wait_until(lambda: not traces.seen(), GONE_SECONDS, "the lab to go")
    assert traces.seen() == {}


@pytest.fixture
def lab(traces: Traces) -> Iterator[subprocess.Popen[str]]:
    """A Python that has a lab."""
    assert traces.processes() == {}
    with subprocess.Popen([sys.executable, "-c", LAB], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert _line(child) == "begins"
        yield child
        child.kill()


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_labs_python_is_ended(
    lab: subprocess.Popen[str], traces: Traces, number: int
) -> None:
    assert (Path(_line(lab)) / "w1.wg0.log").exists()
    traces.note_namespaces()
    os.kill(lab.pid, number)
    lab.wait(10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("milliseconds", [0, 30, 100, 200, 300, 450])
def test_nothing_is_left_when_it_is_ended_while_it_begins(
    lab: subprocess.Popen[str], milliseconds: int, number: int
) -> None:
    time.sleep(milliseconds / 1000)
    os.kill(lab.pid, number)
    lab.wait(10)


def test_nothing_is_left_after_an_error_inside(traces: Traces) -> None:
    with pytest.raises(NotImplementedError), Network(workers=1, clients=0):
        assert_and_fail(traces)


def assert_and_fail(traces: Traces) -> None:
    assert traces.processes() != {}
    raise NotImplementedError


@pytest.mark.usefixtures("traces")
def test_the_folder_stays_when_asked_for() -> None:
    with Network(workers=0, clients=0) as net:
        net.keep = True
    assert (net.directory / "service.echo.log").read_text() == "listening\n"
    for log in net.directory.iterdir():
        log.unlink()
    net.directory.rmdir()


def test_it_is_up_in_a_few_seconds() -> None:
    began = time.monotonic()
    with Network(workers=3, clients=2):
        assert time.monotonic() - began < 10
