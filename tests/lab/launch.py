"""Starting programs that die with the lab, and sweeping up after a lab that died without closing.

Every program is started with a parent-death signal: when the Python of the lab dies, even of SIGKILL, the kernel
kills the program; with its last program a network namespace goes, and with it every interface in it.
"""

import os
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.lab.programs import program, search_path

MARKER = "WGFLEET_LAB"
"""Stands in the environment of every program of a lab, with the lab's own random name."""

# It hears what shall become of the folder and, by end of file, that the lab is gone. First the programs that outlived
# it: the parent-death signal reaches the lab's children, not their children. Then the folder, into which a dying
# program may still write. Hence the rounds; their number only keeps it from running for ever.
SWEEP = """
while read -r said; do word=$said; done
for round in $(seq 250); do
    left=$(grep -lsFzx -e "$1" /proc/[0-9]*/environ | cut -d/ -f3)
    [ -z "$left" ] && break
    kill -KILL $left 2>/dev/null
    sleep 0.02
done
[ "$word" = keep ] && exit
for round in $(seq 50); do
    rm -rf -- "$2" 2>/dev/null && exit
    sleep 0.1
done
"""


class Launcher:
    """Starts a lab's programs, and owns its folder.

    A parent-death signal is sent when the *thread* that started the program ends, not only when its Python does. So
    one thread, which lives as long as the lab, starts them all, and anybody may ask from any thread.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.keep = keep
        """Leave the folder with the logs when the lab closes. May be set until then."""
        token = secrets.token_hex(8)
        self.marker = f"{MARKER}={token}"
        self.directory = Path(os.environ.get("TMPDIR", "/tmp"), f"wgfleet-lab-{token}")  # noqa: S108
        self._started: list[subprocess.Popen[bytes]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-launcher")
        self._sweeper = subprocess.Popen(
            ["/bin/sh", "-c", SWEEP, "sweeper", self.marker, str(self.directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._tell_sweeper()
        # Only once there is somebody to remove it; mkdir refuses a folder that somebody else has put there.
        self.directory.mkdir(mode=0o700)

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: IO[bytes],
        stdin: int = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program; output and errors go to one file.

        It leads a session of its own: Ctrl-C at the terminal is for the lab, which then ends its programs in order.
        """
        return self._thread.submit(
            self._popen,
            [*mortal(), *command],
            env=self.environment(environment),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,
        ).result()

    def _popen(self, *arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        # Noted here, in the launching thread: a Ctrl-C while the asker waits must not lose a program.
        self._started.append(subprocess.Popen(*arguments, **named))
        return self._started[-1]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment we have, without proxies, which nothing in a lab could reach, and with the marker."""
        kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        name, value = self.marker.split("=")
        return {**kept, "PATH": search_path(), name: value, **(more or {})}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every program, then whatever they started, then the folder."""
        self._thread.shutdown()  # First: nothing more is started.
        for running in self._started:
            running.kill()
        for running in self._started:
            running.wait()
            if running.stdin is not None:
                running.stdin.close()
        self._tell_sweeper()
        if self._sweeper.stdin is not None:
            self._sweeper.stdin.close()
        self._sweeper.wait()

    def _tell_sweeper(self) -> None:
        if self._sweeper.stdin is not None:
            self._sweeper.stdin.write(b"keep\n" if self.keep else b"remove\n")
            self._sweeper.stdin.flush()


def mortal() -> list[str]:
    """The words before a command that make the kernel kill it when the thread that started it ends.

    Should that happen before the words take effect, nobody would: but then the host that the command enters next is
    already gone.
    """
    return [program("setpriv"), "--pdeathsig", "KILL", "--"]
