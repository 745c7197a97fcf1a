"""Runs the client hook: news in, programs out. What is due is decided in hooks.py."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client_sync.worker.hooks import Hooks, Place, Prefixes, Run, Verb
from wgfleet.clientlist import ClientList
from wgfleet.files import write_whole
from wgfleet.logs import say

log = logging.getLogger(__name__)

HOOK_SECONDS = 10.0
"""A run that takes longer is ended, with whatever it started, and has failed."""
SAID_BYTES = 500
"""Of what a run that failed has printed, the end: there the reason stands."""
READ_BYTES = 1 << 16
FILE = "hooks.json"


class PlacesError(ValueError):
    """What the receiver sent are no places."""


def read_places(message: bytes) -> tuple[dict[str, Place], bool]:
    """The places, and whether they are all. Raises PlacesError."""
    try:
        said = json.loads(message)
        places = {
            str(client): Place(str(worker), int(number))
            for client, (worker, number) in said["clients"].items()
        }
        return places, bool(said["whole"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlacesError(f"the receiver sent no places: {error!r}; is it of the same version?") from None


class ClientHook:
    """The configured program. Belongs to one event loop."""

    def __init__(
        self,
        program: Path,
        *,
        worker: str,
        interface: str,
        directory: Path,
        followed: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        """Take the program and the state directory; `followed` says whether the receiver is heard at present.

        Raises ValueError: it cannot be run.
        """
        if not (program.is_file() and os.access(program, os.X_OK)):
            raise ValueError(
                f"client_hook: {program} is no file that can be executed: `chmod +x` it, or take the key away"
            )
        self._program = program
        self._file = directory / FILE
        self._kept = _kept(self._file)
        self.hooks = Hooks(worker, self._kept)
        self._followed = followed
        self._failing = False
        self._changed = changed
        self._news = asyncio.Event()
        self._list: tuple[int, int] | None = None
        # Nothing of our own environment: what a service manager puts there is nobody else's business.
        self._environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "WGFLEET_WORKER": worker,
            "WGFLEET_INTERFACE": interface,
        }

    def listed(self, clients: ClientList) -> None:
        """The client list that is applied."""
        if clients.number == self._list:
            return
        self._list = clients.number
        self.hooks.listed({client.name: client.allowed_ips for client in clients.clients})
        self._news.set()

    def heard(self, message: bytes) -> None:
        """What the receiver says of where clients are."""
        try:
            places, whole = read_places(message)
        except PlacesError as error:
            say(log, "places refused", level=logging.ERROR, error=error)
            return
        self.hooks.heard(places, whole=whole)
        self._news.set()

    async def run(self) -> None:
        """Run what is due, until it is cancelled; runs under way are ended then."""
        async with asyncio.TaskGroup() as runs:
            while True:
                self._news.clear()
                for run in await self._due():
                    runs.create_task(self._carry_out(run))
                with contextlib.suppress(TimeoutError):
                    deadline = self.hooks.next_deadline() if self._followed() else None
                    async with asyncio.timeout(
                        None if deadline is None else max(0.0, deadline - time.monotonic())
                    ):
                        await self._news.wait()

    def status(self) -> dict[str, Any]:
        """For `wgfleet-sync status`."""
        hooks = self.hooks
        return {
            "active": hooks.active,
            "waiting": hooks.waiting,
            "running": len(hooks.running),
            "failing": len(hooks.failures),
            "failures": [
                {"client": one.run.client, "verb": one.run.verb, "tries": one.tries, "reason": one.reason}
                for one in hooks.worst()
            ],
        }

    async def _due(self) -> list[Run]:
        keep = self.hooks.to_keep()
        due = self.hooks.due(time.monotonic(), heard=self._followed())
        new = any(run.verb is Verb.ACTIVE and self._kept.get(run.client) != run.prefixes for run in due)
        # Who left is taken out of the file when there is time: another `left` does no harm.
        if new or (not self.hooks.running and keep != self._kept):
            await self._keep(keep)
        return due

    async def _keep(self, keep: dict[str, Prefixes]) -> None:
        text = json.dumps(keep).encode()
        try:
            await asyncio.to_thread(write_whole, self._file, text)
        except OSError as error:  # A full disk must not keep a client's packets from coming back.
            say(log, "not noted", level=logging.ERROR, file=self._file, error=error)
        else:
            self._kept = keep

    async def _carry_out(self, run: Run) -> None:
        reason = await self._run(run)
        self.hooks.ended(run, reason, time.monotonic())
        level = logging.INFO if reason is None else logging.ERROR
        facts = {} if reason is None else {"reason": reason}
        say(
            log,
            "hook ran" if reason is None else "hook failed",
            level=level,
            verb=run.verb,
            client=run.client,
            **facts,
        )
        self._news.set()
        failing = bool(self.hooks.failures)
        # A failover is told once it is over: each telling is a file and an ack.
        if failing != self._failing or not (self.hooks.running or self.hooks.waiting > 1):
            self._failing = failing
            self._changed()

    async def _run(self, run: Run) -> str | None:
        """Why it failed; None if it did not."""
        try:
            running = await asyncio.create_subprocess_exec(
                self._program, run.verb, run.client, *run.prefixes,
                env=self._environment | {"WGFLEET_NUMBER": str(run.number)},
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return f"{self._program} cannot be run: {error.strerror}"
        try:
            async with asyncio.timeout(HOOK_SECONDS):
                said = await _end_of(running.stdout)
                await running.wait()
        except TimeoutError:
            return f"it took longer than {HOOK_SECONDS:g} s"
        finally:
            # Also what it left behind: that would outlive the news which it was for.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            await running.wait()
        if running.returncode == 0:
            return None
        return f"it ended with {running.returncode}: {' '.join(said.decode(errors='replace').split())}"


async def _end_of(printed: asyncio.StreamReader | None) -> bytes:
    """What it prints last, once it has ended; one gone mad fills no worker's memory."""
    end = b""
    while printed is not None and (more := await printed.read(READ_BYTES)):
        end = (end + more)[-SAID_BYTES:]
    return end


def _kept(file: Path) -> dict[str, Prefixes]:
    try:
        said = json.loads(file.read_bytes())
        return {str(client): tuple(map(str, prefixes)) for client, prefixes in said.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        say(log, "for whom the hook ran is not known", level=logging.ERROR, file=file, error=error)
        return {}
