"""Tests of failover_receiver/publishing/file.py: the document at a path."""

import asyncio
import stat
import threading
from pathlib import Path

import pytest

from failover_receiver.publishing import PublishingError, file
from failover_receiver.publishing.file import FilePublisher
from failover_receiver.publishing.places import File
from tests.failover_receiver.parts import LIMIT
from tests.failover_receiver.publishing.recording import document, said

pytestmark = pytest.mark.anyio


async def test_the_file_holds_the_newest_document(tmp_path: Path) -> None:
    """To its last byte, for everybody to read: it is signed, and holds no secret."""
    path = tmp_path / "peer-set.jws"
    publisher = FilePublisher(File(path=path))

    await publisher.publish(document(1), said(1))
    await publisher.publish(document(2), said(2))

    assert path.read_bytes() == document(2).body
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_it_can_be_for_the_receivers_user_alone(tmp_path: Path) -> None:
    """Endpoints may be nobody's business."""
    path = tmp_path / "peer-set.jws"

    await FilePublisher(File(path=path, world_readable=False)).publish(document(1), said(1))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_folder_that_is_not_there_is_said_with_what_would_help(tmp_path: Path) -> None:
    """The file is the operator's to place."""
    publisher = FilePublisher(File(path=tmp_path / "nowhere" / "peer-set.jws"))

    with pytest.raises(PublishingError) as caught:
        await publisher.publish(document(1), said(1))

    assert str(caught.value) == (
        f"file.path: {tmp_path}/nowhere/peer-set.jws cannot be written: No such file or directory; "
        "is its folder there, and this user's?"
    )


async def test_a_disk_that_hung_does_not_bring_an_older_document_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor has it a thread for each attempt, which others wait for: one at a time is written."""
    written: list[bytes] = []
    begun, go_on = threading.Event(), threading.Event()

    def hang(_path: Path, content: bytes, *, mode: int) -> None:
        assert mode
        begun.set()
        assert go_on.wait(LIMIT)
        written.append(content)

    monkeypatch.setattr(file, "write_whole", hang)
    publisher = FilePublisher(File(path=tmp_path / "peer-set.jws"))
    old = asyncio.create_task(publisher.publish(document(1), said(1)))
    assert await asyncio.to_thread(begun.wait, LIMIT)
    old.cancel()
    await asyncio.gather(old, return_exceptions=True)
    begun.clear()

    new = asyncio.create_task(publisher.publish(document(2), said(2)))
    await asyncio.wait([new], timeout=0.05)
    assert not begun.is_set()
    go_on.set()
    await new

    assert written == [document(1).body, document(2).body]
