"""The door to the programs that make interfaces, routes and rules."""

import subprocess
from collections.abc import Mapping

from wgfleet.wg import WgError

TIMEOUT_SECONDS = 10.0


class LayoutError(WgError):
    """An interface, a route, a rule or a mark could not be set; the text says what to do next."""


def run(
    command: list[str],
    *,
    given: str = "",
    environment: Mapping[str, str] | None = None,
    new_session: bool = False,
) -> str:
    """Run a program and return what it prints. Raises LayoutError."""
    try:
        done = subprocess.run(
            command,
            input=given,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            start_new_session=new_session,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LayoutError(f"`{' '.join(command)}` could not be run: {error}") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).partition("\n")[0]
        raise LayoutError(f"`{' '.join(command)}` failed: {said}")
    return done.stdout
