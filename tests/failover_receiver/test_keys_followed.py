"""A real receiver's key is rotated while a client is off: the client follows when it is back, untouched."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from client_sync.cache import Documents, RefusedDocumentError
from failover_receiver import keys
from tests.failover_receiver.parts import BODY, FLEET
from tests.failover_receiver.running import Running
from wgfleet.peerset import PeerSet
from wgfleet.signing import Signer, Verifier

pytestmark = pytest.mark.anyio


class Client:
    """What a client has: a folder, and the key that was pinned when it was enrolled."""

    def __init__(self, directory: Path, pinned: str) -> None:
        self.directory = directory
        self.pinned = pinned
        directory.mkdir()

    def comes_up(self) -> Documents:
        """A run of the daemon, as far as documents go."""
        documents = Documents(self.directory, Verifier([self.pinned]), FLEET)
        documents.last_good()
        return documents

    def accept(self, document: bytes) -> PeerSet | None:
        """Come up and take what the receiver says."""
        documents = self.comes_up()
        said = documents.take(document)
        documents.keep()
        return said


def rotate(running: Running) -> None:
    """As an operator does."""
    command = [sys.executable, "-m", "failover_receiver", "rotate-key"]
    subprocess.run(
        [*command, "--config", running.directory / "receiver.toml"], check=True, capture_output=True
    )


async def published(running: Running) -> bytes:
    """The newest document."""
    async with running.ask() as http:
        answer = await http.get("/v1/peer-set")
    assert answer.status_code == httpx.codes.OK
    return answer.content


def signer(running: Running) -> Signer:
    """Whoever reads the key file can sign like the receiver."""
    return keys.read(running.directory / "signing.key", FLEET)


async def enrolled(running: Running, directory: Path) -> Client:
    """A client that knows the present key and holds the present document."""
    async with running.ask() as http:
        (await http.put("/v1/workers/fra1", json=BODY)).raise_for_status()
        pinned = (await http.get("/v1/signing-key")).json()["public_key"]
    client = Client(directory, pinned)
    assert client.accept(await published(running)) is not None
    return client


async def test_a_client_that_was_off_for_two_rotations_follows(tmp_path: Path) -> None:
    """Its configuration names the first key still; what that key signs is refused from then on."""
    with Running(tmp_path / "receiver") as running:
        client = await enrolled(running, tmp_path / "client")
        stolen = signer(running)
        before = client.comes_up().last_good()
        for _ in range(2):
            rotate(running)
            assert running.stop() == 0
            running.start()
        now = client.accept(await published(running))

    assert before is not None
    assert now is not None
    assert now.number == (before.epoch, before.generation + 2)
    assert now.workers == before.workers
    forged = stolen.sign(PeerSet.to_bytes(now).replace(b'"generation":', b'"generation":9'))
    with pytest.raises(RefusedDocumentError, match=f"^signed with key '{stolen.key_id}', trusted are "):
        client.comes_up().take(forged)


async def test_a_rotation_counts_from_the_next_start_on(tmp_path: Path) -> None:
    """Until then the running receiver signs with the key that it holds, and its clients need nothing new."""
    with Running(tmp_path / "receiver") as running:
        client = await enrolled(running, tmp_path / "client")
        document = await published(running)
        rotate(running)
        async with running.ask() as http:
            (await http.put("/v1/workers/fra1", json={**BODY, "weight": 50})).raise_for_status()
        changed = client.accept(await published(running))
        new = signer(running)
        running.stop()
        running.start()
        restarted = client.accept(await published(running))
        async with running.ask() as http:
            announced = (await http.get("/v1/signing-key")).json()["public_key"]
            history = (await http.get("/v1/events")).json()

    assert changed is not None
    assert restarted is not None
    assert b"endorsements" not in document
    assert restarted.generation == changed.generation + 1
    assert [event["subject"] for event in history if event["what"] == keys.ROTATED] == [new.key_id]
    assert announced == new.public_text


async def test_a_restart_without_a_rotation_changes_no_byte(tmp_path: Path) -> None:
    """And so no number."""
    with Running(tmp_path / "receiver") as running:
        await enrolled(running, tmp_path / "client")
        rotate(running)
        documents = []
        for _ in range(2):
            running.stop()
            running.start()
            documents.append(await published(running))

    assert documents[0] == documents[1]
