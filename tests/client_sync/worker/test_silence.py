"""Tests of client_sync/worker/silence.py: what begins a session does not leave the shared interface's port, all else does."""

import socket
from collections.abc import Sequence

import pytest

from client_sync.tunnels.programs import LayoutError, run
from client_sync.worker.around import Kernel
from client_sync.worker.silence import Silence, silence
from tests.client_sync.own_network import in_own_network
from tests.client_sync.worker.samples import client_list

INITIATION, RESPONSE, DATA = (bytes([kind, 0, 0, 0]) for kind in (1, 2, 4))


def kernel_with(port: int) -> Kernel:
    """The real nft, and a `wg` that says this port."""

    def answer(command: Sequence[str], given: str) -> str:
        return f"{port}\n" if command[0] == "wg" else run(command, given)

    return Kernel(answer)


def sent(source: socket.socket, *messages: bytes) -> list[bytes]:
    """What arrives of what is sent; the last one must not be kept back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        target.settimeout(10)
        for message in messages:
            try:
                source.sendto(message, target.getsockname())
            except PermissionError:
                continue  # What is dropped on its way out, its sender is told.
        arrived = [target.recv(100)]
        while arrived[-1] != messages[-1]:
            arrived.append(target.recv(100))
        return arrived


@pytest.mark.system
def test_only_what_begins_a_session_is_kept_back() -> None:
    """A device's own beginning is answered, and its data as well."""

    def story() -> list[bytes]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as shared:
            shared.bind(("127.0.0.1", 0))
            Silence("wg1", kernel_with(shared.getsockname()[1])).begin()
            return sent(shared, INITIATION, RESPONSE, INITIATION, DATA)

    assert in_own_network(story) == [RESPONSE, DATA]


@pytest.mark.system
def test_the_workers_own_interface_begins_sessions() -> None:
    """It has another port."""

    def story() -> list[bytes]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind(("127.0.0.1", 0))
            Silence("wg1", kernel_with(own.getsockname()[1] ^ 1)).begin()
            return sent(own, INITIATION, DATA)

    assert in_own_network(story) == [INITIATION, DATA]


@pytest.mark.system
def test_rules_that_were_flushed_are_there_again_with_the_next_list() -> None:
    """Once; also those of an older port are gone then."""

    def story() -> str:
        Silence("wg1", kernel_with(51821)).begin()
        run(["nft", "flush", "ruleset"], "")
        Silence("wg1", kernel_with(51822))(client_list())
        return run(["nft", "list", "ruleset"], "")

    said = in_own_network(story)
    assert said.count("udp sport") == 1
    assert "udp sport 51822 @th,64,8 0x1" in said or "udp sport 51822 @th,64,8 1" in said


@pytest.mark.system
def test_a_worker_that_shares_nothing_any_more_is_silent_no_longer() -> None:
    """And leaves the tables of others."""

    def story() -> str:
        run(["nft", "add", "table", "inet", "mine"], "")
        Silence("wg1", kernel_with(51821)).begin()
        Silence(None, Kernel()).begin()
        return run(["nft", "list", "tables"], "")

    assert in_own_network(story) == "table inet mine\n"


def test_without_nft_a_worker_that_shares_nothing_needs_none() -> None:
    """There is nothing of ours to take away."""

    def no_nft(command: Sequence[str], _given: str) -> str:
        raise LayoutError(f"there is no program {command[0]}")

    Silence(None, Kernel(no_nft)).begin()
    with pytest.raises(LayoutError):
        Silence("wg1", Kernel(no_nft)).begin()


def test_the_text_names_the_port() -> None:
    """As nft(8) reads it."""
    assert "udp sport 51821 @th,64,8 1 counter drop" in silence(51821)
