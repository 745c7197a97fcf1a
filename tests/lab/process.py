"""A program of the lab that can be started, killed, frozen and started again, and whose end says why."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.lab.launch import Launcher
from tests.lab.waiting import WaitedInVainError, wait_until

READY_SECONDS = 10.0
"""A program that is not ready by then on a busy machine is not going to be."""

LAST_LINES = 15
"""How much of its log an error shows."""

STOPPED = "TD"
"""States in /proc of what runs no more: stopped, or (having just forked) held in the kernel by a stopped child."""

Ready = str | Callable[[], object] | None
"""When a program is ready: once this text stands in its log, or this says something true; None: nobody asks."""


class ProgramError(RuntimeError):
    """A program did not start, or not end, as it should; the text has the end of its log."""


class Process:
    """One program of one host. Made by `Host.spawn`, which starts it."""

    def __init__(
        self,
        launcher: Launcher,
        name: str,
        command: Sequence[str],
        *,
        ready: Ready = None,
        timeout: float = READY_SECONDS,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        lifeline: bool = False,
    ) -> None:
        """Describe it; `lifeline` gives it a pipe to read that ends with the lab."""
        self.name = name
        self.command = list(command)
        self.environment = dict(environment or {})
        self.log = launcher.directory / f"{name}.log"
        self.ready = ready
        self.timeout = timeout
        self._launcher = launcher
        self._pass_fds = tuple(pass_fds)
        self._stdin = subprocess.PIPE if lifeline else subprocess.DEVNULL
        self._running: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Start it and wait until it is ready. It must not be running.

        Raises:
            ProgramError: it ended first, or was not ready in time.

        """
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it and do not wait."""
        if self.alive:
            raise ProgramError(f"{self.name} is already running, as {self.pid}")
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._running = self._launcher.start(
                self.command,
                environment=self.environment,
                output=output,
                stdin=self._stdin,
                pass_fds=self._pass_fds,
            )

    def wait_until_ready(self) -> None:
        """Wait for what the program was said to be ready by; one that is not in time is killed."""
        ready = self.ready
        try:
            if isinstance(ready, str):
                self.wait_for_line(ready, self.timeout)
            elif ready is not None:
                self._wait(ready, self.timeout, "it to be ready")
        except ProgramError:
            self.kill()
            raise

    def wait_for_line(self, text: str, timeout: float = READY_SECONDS) -> None:
        """Wait until a line with this text stands in what it has written since its last start."""
        self._wait(lambda: text in self.output(), timeout, f"{text!r} in its log")

    def output(self) -> str:
        """What it has written since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    @property
    def pid(self) -> int:
        """The program's own process id: what starts it becomes it."""
        if self._running is None:
            raise ProgramError(f"{self.name} was never started")
        return self._running.pid

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    @property
    def exit_status(self) -> int | None:
        """As subprocess gives it: minus the signal's number if one ended it; None while it runs."""
        return None if self._running is None else self._running.poll()

    def kill(self) -> None:
        """End it and what it started, as a power cut would."""
        if self._running is not None:
            self._signal_all(signal.SIGKILL)
            self._running.wait()

    def terminate(self, timeout: float = READY_SECONDS) -> int:
        """Ask it to end, as a service manager does, and return its exit status. A frozen one is thawed first."""
        if self._running is None:
            raise ProgramError(f"{self.name} was never started")
        self._signal_all(signal.SIGCONT)
        self._running.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._running.wait(timeout)
        self.kill()
        raise ProgramError(f"{self.name} did not end in {timeout:g} s after SIGTERM{self._last_lines()}")

    def freeze(self) -> None:
        """Stop it where it stands: alive, its sockets open, silent."""
        if not self.alive:
            raise ProgramError(f"{self.name} does not run, so it cannot be frozen{self._last_lines()}")
        self._signal_all(signal.SIGSTOP)
        wait_until(lambda: self._state() in STOPPED, READY_SECONDS, f"{self.name} to stop")

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it if it runs, and start it again by the same command."""
        self.kill()
        self.start()

    def wait(self, timeout: float = READY_SECONDS) -> int:
        """Wait for its end and return its exit status."""
        if self._running is None:
            raise ProgramError(f"{self.name} was never started")
        try:
            return self._running.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{self.name} still runs after {timeout:g} s{self._last_lines()}") from None

    def _signal_all(self, number: int) -> None:
        if self.alive:
            # It leads a group of its own. Its children are no business of a parent-death signal, so they come along.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _state(self) -> str:
        """The letter of its state in /proc, which stands after the name in brackets."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def _wait(self, done: Callable[[], object], timeout: float, what: str) -> None:
        # The program's life is looked at first: what a program wrote before it ended still counts.
        def ended_or_done() -> object:
            ended = not self.alive
            return done() or ended

        began = time.monotonic()
        try:
            wait_until(ended_or_done, timeout, what)
        except WaitedInVainError as error:
            raise ProgramError(f"{self.name}: {error}{self._last_lines()}") from None
        if not self.alive and not done():
            seconds = time.monotonic() - began
            raise ProgramError(
                f"{self.name} ended with exit status {self.exit_status} after {seconds:.1f} s, "
                f"while waiting for {what}{self._last_lines()}"
            )

    def _last_lines(self) -> str:
        lines = self.output().splitlines()[-LAST_LINES:]
        return "\n".join([f"; the end of {self.log}:", *(f"  {line}" for line in lines or ["(it is empty)"])])
