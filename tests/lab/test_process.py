"""Programs start, end, freeze, and say why they did not."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.launch import Launcher
from tests.lab.process import Process, ProgramError
from tests.lab.waiting import WaitedInVainError, wait_until


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with Launcher() as made:
        yield made


def shell(launcher: Launcher, script: str, **how: object) -> Process:
    return Process(launcher, "shell", ["sh", "-c", script], **how)  # type: ignore[arg-type] # Any option, by its name.


def test_it_is_ready_once_its_log_says_so(launcher: Launcher) -> None:
    script = shell(launcher, "echo one; echo ready; exec sleep 1000", ready="ready")
    script.start()
    assert script.output() == "one\nready\n"
    assert script.alive
    assert script.exit_status is None
    script.kill()
    assert not script.alive
    assert script.exit_status == -signal.SIGKILL


def test_one_that_dies_at_its_start_says_why(launcher: Launcher) -> None:
    script = shell(launcher, "echo 'no such file: wg.conf' >&2; exit 3", ready="ready")
    with pytest.raises(ProgramError) as caught:
        script.start()
    text = str(caught.value)
    assert text.startswith("shell ended with exit status 3 after ")
    assert text.endswith(
        f"while waiting for 'ready' in its log; the end of {script.log}:\n  no such file: wg.conf"
    )


def test_one_that_is_never_ready_is_killed(launcher: Launcher) -> None:
    script = shell(launcher, "exec sleep 1000", ready=lambda: False, timeout=0.1)
    with pytest.raises(ProgramError, match=r"in vain for it to be ready.*\n  \(it is empty\)"):
        script.start()
    assert not script.alive


def test_a_restart_waits_for_the_new_ones_words(launcher: Launcher) -> None:
    script = shell(launcher, "echo $$; echo ready; exec sleep 1000", ready="ready")
    script.start()
    first = script.output()
    script.restart()
    assert script.output() == f"{script.pid}\nready\n" != first
    assert script.log.read_text() == first + script.output()


def test_what_runs_is_not_started_twice(launcher: Launcher) -> None:
    script = shell(launcher, "exec sleep 1000")
    script.start()
    with pytest.raises(ProgramError, match="already running"):
        script.start()


def test_frozen_and_thawed_and_asked_to_end(launcher: Launcher) -> None:
    script = shell(launcher, "trap 'exit 5' TERM; while :; do echo beat; sleep 0.01; done", ready="beat")
    script.start()
    script.freeze()
    frozen = script.output()
    assert script.alive
    script.thaw()
    wait_until(lambda: script.output() != frozen, 2, "another beat")
    script.freeze()
    assert script.terminate() == 5
    with pytest.raises(ProgramError, match="does not run"):
        script.freeze()


def test_what_will_not_end_is_killed_and_that_is_an_error(launcher: Launcher) -> None:
    script = shell(launcher, "trap '' TERM; echo ready; while :; do sleep 0.01; done", ready="ready")
    script.start()
    with pytest.raises(ProgramError, match=r"did not end in 0.1 s after SIGTERM"):
        script.terminate(timeout=0.1)
    assert not script.alive


def test_it_outlives_the_thread_that_asked_for_it(launcher: Launcher) -> None:
    script = shell(launcher, "echo ready; exec sleep 1000", ready="ready")
    asking = threading.Thread(target=script.start)
    asking.start()
    asking.join()
    with pytest.raises(ProgramError, match="still runs"):
        script.wait(0.1)


def test_its_environment_has_no_proxy(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    script = shell(launcher, "env; echo ready", ready="ready", environment={"MORE": "yes"})
    script.start()
    assert "proxy.invalid" not in script.output()
    assert "MORE=yes\n" in script.output()
    assert launcher.marker in script.output()


def test_closing_ends_what_programs_have_started() -> None:
    with Launcher() as launcher:
        nest = shell(launcher, "setsid sleep 1000 & echo $!; wait", ready="\n")
        nest.start()
        orphan = int(nest.output())
    wait_until(lambda: not _runs(orphan), 2, "the orphan to end")


def _runs(pid: int) -> bool:
    """A process that has ended but was not reaped yet has no command line any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(WaitedInVainError, match=r"waited 0.01 s in vain for rain; last seen: 0"):
        wait_until(lambda: 0, 0.01, "rain")
