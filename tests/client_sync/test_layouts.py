"""Tests of client_sync/layouts.py: which layout the configuration makes, and that none of it is touched yet."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from client_sync.config import Config, LayoutKind
from client_sync.echo import Echo
from client_sync.interface import Interface
from client_sync.layouts import lay_out
from client_sync.own import OwnInterface
from client_sync.perworker.echoes import Echoes
from client_sync.perworker.layout import PerWorker
from tests.client_sync.device import unresolved
from tests.client_sync.samples import FLEET


def configuration(directory: Path, layout: LayoutKind) -> Config:
    """With all that either needs."""
    return Config(
        fleet=FLEET,
        name="laptop-9",
        interface="wg",
        receivers=("https://monitoring.example.com",),
        token_file=directory / "token",
        trusted_keys=(),
        state_directory=directory,
        layout=layout,
        private_key_file=directory / "private.key",
        addresses=("10.99.1.7",),
    )


@pytest.mark.parametrize(
    ("said", "kind", "prober"),
    [(LayoutKind.SINGLE, OwnInterface, Echo), (LayoutKind.PER_WORKER, PerWorker, Echoes)],
)
def test_each_layout_has_its_own_way_to_probe(
    tmp_path: Path, said: LayoutKind, kind: type, prober: type
) -> None:
    """Nothing is read or made: the folder is as it was."""
    laid = lay_out(configuration(tmp_path, said), unresolved)

    assert type(laid.layout) is kind
    assert type(laid.prober) is prober
    assert list(tmp_path.iterdir()) == []
    laid.close()


def test_without_a_key_the_interface_is_somebody_elses(tmp_path: Path) -> None:
    """It is never made."""
    config = replace(configuration(tmp_path, LayoutKind.SINGLE), private_key_file=None)

    laid = lay_out(config, unresolved)

    assert type(laid.layout) is Interface
    laid.close()


@pytest.mark.parametrize("said", list(LayoutKind))
def test_the_watch_never_ends_of_itself(tmp_path: Path, said: LayoutKind) -> None:
    """The daemon ends with the first of its tasks that does."""
    config = configuration(tmp_path, said)
    if said is LayoutKind.SINGLE:
        # With a key it would make an interface, on this machine: that watch is test_own.py's.
        config = replace(config, private_key_file=None)

    async def story() -> bool:
        laid = lay_out(config, unresolved)
        watching = asyncio.create_task(laid.beside())
        done, _ = await asyncio.wait([watching], timeout=0.05)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        laid.close()
        return bool(done)

    assert not asyncio.run(story())
