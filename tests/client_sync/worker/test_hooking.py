"""Tests of client_sync/worker/hooking.py: the configured program is really run."""

import asyncio
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from client_sync.worker import hooking
from client_sync.worker.hooking import ClientHook, PlacesError, read_places
from client_sync.worker.hooks import Place
from tests.client_sync.worker.samples import client, client_list

SECONDS = 20.0


def places(worker: str, number: int, *, whole: bool = False) -> bytes:
    """What the receiver says of c1."""
    return json.dumps({"whole": whole, "clients": {"c1": [worker, number]}}).encode()


def story(directory: Path, script: str, until: Callable[[ClientHook], bool], *heard: bytes) -> ClientHook:
    """Have the program and the news, and run until that is so, which is looked at whenever there is something to tell."""
    program = directory / "hook"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)

    async def run() -> ClientHook:
        told = asyncio.Event()
        hook = ClientHook(
            program, worker="fra1", interface="wg0", directory=directory, followed=lambda: True, changed=told.set
        )  # fmt: skip
        hook.listed(client_list(client(1)))
        running = asyncio.create_task(hook.run())
        try:
            async with asyncio.timeout(SECONDS):
                for message in heard:
                    hook.heard(message)
                    await told.wait()
                    told.clear()
                while not until(hook):
                    await told.wait()
                    told.clear()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return hook

    return asyncio.run(run())


def test_the_program_is_told_verb_client_prefixes_and_a_small_environment(tmp_path: Path) -> None:
    """And nothing else of ours."""
    script = f'echo "$@" $WGFLEET_WORKER $WGFLEET_INTERFACE $WGFLEET_NUMBER >> {tmp_path}/out; env > {tmp_path}/env'

    story(
        tmp_path, script, lambda hook: hook.hooks.active == 0, places("fra1", 1, whole=True), places("ams1", 2)
    )  # fmt: skip

    assert (tmp_path / "out").read_text().splitlines() == [
        "active c1 10.99.1.1/32 fra1 wg0 1",
        "left c1 10.99.1.1/32 fra1 wg0 2",
    ]
    names = {line.split("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    known = {"PATH", "LC_ALL", "WGFLEET_WORKER", "WGFLEET_INTERFACE", "WGFLEET_NUMBER"}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == known


def test_for_whom_it_ran_is_known_to_the_next_life(tmp_path: Path) -> None:
    """It is on the disk before the program runs."""
    script = f"cp {tmp_path}/hooks.json {tmp_path}/then"

    story(tmp_path, script, lambda hook: hook.hooks.active == 1, places("fra1", 1, whole=True))

    assert json.loads((tmp_path / "then").read_text()) == {"c1": ["10.99.1.1/32"]}


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    """With what it printed last."""
    hook = story(
        tmp_path, "echo no such router >&2; exit 3", lambda hook: bool(hook.hooks.failures), places("fra1", 1)
    )

    (failure,) = hook.status()["failures"]
    assert (failure["client"], failure["verb"]) == ("c1", "active")
    assert failure["reason"] == "it ended with 3: no such router"


def test_a_run_that_prints_without_end_fills_no_memory(tmp_path: Path) -> None:
    """A loop that complains, say: a hundred megabytes here."""
    tracemalloc.start()
    try:
        hook = story(
            tmp_path,
            "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo at last; exit 3",
            lambda hook: bool(hook.hooks.failures),
            places("fra1", 1),
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert hook.status()["failures"][0]["reason"].endswith("x at last")
    assert most < 10_000_000


def test_a_run_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole group of processes."""
    monkeypatch.setattr(hooking, "HOOK_SECONDS", 0.3)
    script = f"sleep 1000 & echo $! > {tmp_path}/child; wait"

    hook = story(tmp_path, script, lambda hook: bool(hook.hooks.failures), places("fra1", 1))

    assert hook.status()["failures"][0]["reason"] == "it took longer than 0.3 s"
    stat = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_a_program_that_cannot_be_run_is_said_at_once(tmp_path: Path) -> None:
    """And not when the first client comes."""
    with pytest.raises(ValueError, match=r"client_hook: .*/none is no file that can be executed"):
        ClientHook(
            tmp_path / "none", worker="fra1", interface="wg0", directory=tmp_path,
            followed=lambda: True, changed=lambda: None,
        )  # fmt: skip


@pytest.mark.parametrize(
    "message", [b"", b"[]", b'{"whole": true}', b'{"whole": true, "clients": {"ann": 1}}']
)
def test_what_are_no_places_is_refused(message: bytes) -> None:
    """Whole."""
    with pytest.raises(PlacesError, match="sent no places"):
        read_places(message)


def test_places_are_read() -> None:
    """As the receiver writes them."""
    assert read_places(places("fra1", 7, whole=True)) == ({"c1": Place("fra1", 7)}, True)
