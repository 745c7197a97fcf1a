"""The door to all programs but `wg` and the client hook, for clients and workers alike: one way to run them, and to word that one failed."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence

from wgfleet.wg import WgError

TIMEOUT_SECONDS = 10.0
FAILED_LINE = re.compile(r"Command failed -:(\d+)")
"""As `ip -batch` says which line of what it was given it was."""


class LayoutError(WgError):
    """An interface, a route, a rule or a mark could not be set; the text says what to do next."""


def run(
    command: Sequence[str],
    given: str = "",
    *,
    environment: Mapping[str, str] | None = None,
    new_session: bool = False,
    seconds: float = TIMEOUT_SECONDS,
) -> str:
    """Run a program on what it is given, and return what it prints. Raises LayoutError."""
    try:
        done = subprocess.run(
            command,
            input=given,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            start_new_session=new_session,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _could_not(command, error) from None
    if done.returncode != 0:
        said = _said(done.stderr.strip() or done.stdout.strip(), given)
        raise LayoutError(f"`{shlex.join(command)}` failed: {said}")
    return done.stdout


def run_unheard(command: Sequence[str], *, seconds: float) -> None:
    """Run a program of others, which may leave something running that would hold its output open. Raises LayoutError.

    One that takes longer is ended with all that it started: tried again all night, each attempt would leave a hook that hangs.
    """
    quiet = subprocess.DEVNULL
    try:
        running = subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )  # Is waited for below.
    except OSError as error:
        raise _could_not(command, error) from None
    try:
        status = running.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise _could_not(command, error) from None
    finally:
        if running.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    if status != 0:
        raise LayoutError(f"`{shlex.join(command)}` failed with {status}: run it by hand to see why")


def _could_not(command: Sequence[str], error: Exception) -> LayoutError:
    return LayoutError(f"`{shlex.join(command)}` could not be run: {error}")


def _said(text: str, given: str) -> str:
    """Its first line; of a batch, what each line was that failed."""
    if FAILED_LINE.search(text) is None:
        return text.partition("\n")[0]
    lines = given.splitlines()
    return FAILED_LINE.sub(lambda found: f"`{lines[int(found[1]) - 1]}`", " ".join(text.split()))
