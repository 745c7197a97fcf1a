"""Tests of failover_receiver/keys.py: the signing key is replaced whole, and what the old one signed is issued anew."""

import itertools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from failover_receiver import keys, setup
from failover_receiver.__main__ import main
from failover_receiver.state import Tick
from failover_receiver.store import StoreUnavailableError
from tests.failover_receiver import parts as parts_module
from tests.failover_receiver.parts import FLEET, NOON, Parts, build
from wgfleet.peerset import TYPE as PEER_SET
from wgfleet.peerset import PeerSet
from wgfleet.signing import Signer, Verifier

OLD = Signer.generate()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A signing key that was never rotated, as `init` writes it."""
    made = tmp_path / "signing.key"
    made.write_text(f"{OLD.to_text()}\n")
    made.chmod(0o600)
    return made


def leads_from(old: Signer, new: Signer) -> bool:
    """Whether a client that trusts the old key alone takes what the new one signs, and then trusts that one alone."""
    said = Verifier([old.public_text]).verify(new.sign(b"news"), fleet=FLEET)
    return said.payload == b"news" and said.trust.public_keys == [new.public_text]


def test_the_new_key_is_endorsed_by_the_old_one(file: Path) -> None:
    """Both are told, and the file holds the new one with all that leads to it."""
    old, new = keys.rotate(file, FLEET, now=NOON)

    assert old.public_text == OLD.public_text
    assert keys.read(file, FLEET).sign(b"") == new.sign(b"")
    assert leads_from(OLD, new)


def test_rotations_add_up(file: Path) -> None:
    """Also those between which the receiver was not even started."""
    for _ in range(3):
        _, new = keys.rotate(file, FLEET, now=NOON)

    assert leads_from(OLD, new)


def test_the_old_secret_is_gone_from_the_folder(file: Path) -> None:
    """And what lies there is for its owner alone."""
    keys.rotate(file, FLEET, now=NOON)

    assert [path.name for path in file.parent.iterdir()] == ["signing.key"]
    assert OLD.to_text() not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_behind_a_link_the_old_secret_is_gone_too(file: Path, tmp_path: Path) -> None:
    """The link stays one."""
    link = tmp_path / "elsewhere" / "signing.key"
    link.parent.mkdir()
    link.symlink_to(file)

    keys.rotate(link, FLEET, now=NOON)

    assert link.is_symlink()
    assert OLD.to_text() not in file.read_text()
    assert leads_from(OLD, keys.read(link, FLEET))


class PowerCutError(BaseException):
    """Stands for the end of the process."""


def cut_at(cut: pytest.MonkeyPatch, where: object, name: str, turn: int) -> None:
    """Let the process end at that turn of a call."""
    call, turns = getattr(where, name), itertools.count(1)

    def until_power_cut(*arguments: Any, **named: Any) -> Any:
        if next(turns) == turn:
            raise PowerCutError
        return call(*arguments, **named)

    cut.setattr(where, name, until_power_cut)


@pytest.mark.parametrize(
    ("call", "comes_up_with"),
    [
        ((os, "open", 1), "old"),
        ((os, "open", 2), "old"),
        ((os, "fchmod", 1), "old"),
        ((os, "fsync", 1), "old"),
        ((Path, "replace", 1), "old"),
        ((os, "open", 3), "new"),
        ((os, "fsync", 2), "new"),
    ],
    ids=["lock", "make", "mode", "write", "name", "folder", "durable"],
)
def test_a_rotation_that_was_cut_off_leaves_a_whole_key(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: tuple[object, str, int], comes_up_with: str
) -> None:
    """The old one or the new one with its endorsement, wherever the power went; the next one clears up."""
    with monkeypatch.context() as cut:
        cut.setattr(
            Path, "unlink", lambda *_arguments, **_named: None
        )  # Without power nothing is cleared up.
        cut_at(cut, *call)
        with pytest.raises(PowerCutError):
            keys.rotate(file, FLEET, now=NOON)

    left = keys.read(file, FLEET)
    assert left.sign(b"") == OLD.sign(b"") if comes_up_with == "old" else leads_from(OLD, left)
    keys.rotate(file, FLEET, now=NOON)
    assert [path.name for path in file.parent.iterdir()] == ["signing.key"]
    assert leads_from(OLD, keys.read(file, FLEET))


def test_rotations_at_once_come_one_after_the_other(file: Path) -> None:
    """Each endorses the key of the one before, so none is lost."""
    rotations = [
        threading.Thread(target=keys.rotate, args=(file, FLEET), kwargs={"now": NOON}) for _ in range(8)
    ]
    for rotation in rotations:
        rotation.start()
    for rotation in rotations:
        rotation.join()

    left = keys.read(file, FLEET)
    assert len(left.endorsements) == 8
    assert leads_from(OLD, left)


def refusal(file: Path, fleet: str = FLEET) -> str:
    """Why the key is not rotated; it is as it was."""
    before = file.read_bytes()
    with pytest.raises(ValueError, match=r"signing\.key") as caught:
        keys.rotate(file, fleet, now=NOON)
    assert file.read_bytes() == before
    return str(caught.value)


def test_another_users_key_is_not_rotated(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By root, say: the new file would be root's, and the receiver could not read it."""
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    owner = file.owner()

    assert refusal(file) == (
        f"{file} belongs to {owner}, and would not once it is replaced by #4000000000: "
        f"run this as {owner}, by `sudo -u {owner}`"
    )


def test_a_key_that_others_read_is_not_rotated(file: Path) -> None:
    """They would read it no more."""
    file.chmod(0o640)

    assert refusal(file) == (
        f"{file} is open to others (mode 640), and would not be once it is replaced: "
        "chmod 600 it first, and see that the receiver still reads it"
    )


def test_a_key_of_another_fleet_is_neither_read_nor_rotated(file: Path) -> None:
    """Clients would refuse its endorsements."""
    keys.rotate(file, "other", now=NOON)
    why = (
        f"signing_key_file: {file}: what stands below the signing key does not lead to it: endorsement 1 of 1: "
        "fleet is 'other', expected 'test'; take the whole file from a backup"
    )

    assert refusal(file) == why
    with pytest.raises(ValueError, match="signing_key_file") as caught:
        keys.read(file, FLEET)
    assert str(caught.value) == why


# What the old key signed.


@pytest.fixture
def wired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Signer], Parts]:
    """A receiver that signs with this key, on the one store."""

    def wire(signer: Signer) -> Parts:
        monkeypatch.setattr(parts_module, "SIGNER", signer)
        return build(tmp_path)

    return wire


NEW = OLD.successor(fleet=FLEET, now=NOON)


@pytest.mark.anyio
async def test_what_the_old_key_signed_is_issued_anew(wired: Callable[[Signer], Parts]) -> None:
    """Under the next number, before anybody sees it: the same number never carries other bytes."""
    parts = wired(OLD)
    await parts.serve("fra1")
    before = parts.store.document(PEER_SET)
    parts.close()
    assert before is not None

    parts = wired(NEW)
    assert parts.publication.shown is None
    await parts.driver.take(Tick(), who="start")
    after = parts.store.document(PEER_SET)
    parts.close()

    assert after is not None
    assert (after.epoch, after.generation) == (before.epoch, before.generation + 1)
    assert NEW.signed(after.body)
    payload = Verifier([OLD.public_text]).verify(after.body, fleet=FLEET).payload
    assert [worker.name for worker in PeerSet.from_bytes(payload, fleet=FLEET).workers] == ["fra1"]
    assert parts.publication.shown is not None
    assert parts.publication.shown.document == after


@pytest.mark.anyio
async def test_without_a_rotation_nothing_is_issued_anew(wired: Callable[[Signer], Parts]) -> None:
    """A restart changes no byte."""
    parts = wired(NEW)
    await parts.serve("fra1")
    before = parts.store.document(PEER_SET)
    parts.close()

    parts = wired(NEW)
    await parts.driver.take(Tick(), who="start")
    after = parts.store.document(PEER_SET)
    parts.close()

    assert after == before


@pytest.mark.anyio
async def test_a_new_key_is_in_the_history_once(wired: Callable[[Signer], Parts]) -> None:
    """From when on documents are signed with it; not before the first document, nor at every start."""
    noted = []
    for signer in (OLD, OLD, NEW, NEW):
        parts = wired(signer)
        keys.note_new(parts.store, signer, now=NOON)
        await parts.driver.take(Tick(), who="start")
        noted = [event for event in parts.store.events(100) if event.what == keys.ROTATED]
        parts.close()

    assert [(event.at, event.who, event.subject, event.reason) for event in noted] == [
        (NOON, "start", NEW.key_id, "documents are signed with it from now on")
    ]


def test_a_store_that_fails_is_said(wired: Callable[[Signer], Parts]) -> None:
    """As everywhere."""
    parts = wired(OLD)
    parts.close()

    with pytest.raises(StoreUnavailableError):
        keys.note_new(parts.store, NEW, now=NOON)


# The command.


def test_the_command_says_what_it_did_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names of both keys, no secret; exit code 0."""
    setup.make(tmp_path, FLEET)
    file = tmp_path / "signing.key"
    old = keys.read(file, FLEET)
    monkeypatch.setattr(
        sys, "argv", ["wgfleet-receiver", "rotate-key", "--config", str(tmp_path / "receiver.toml")]
    )

    code = main()

    new = keys.read(file, FLEET)
    told = (
        f"{file} holds key {new.key_id} now, public key {new.public_text}\n"
        f"It is endorsed by {old.key_id}, which is gone from there: whoever trusts that one follows by itself.\n"
        f"\nNext: systemctl restart wgfleet-receiver, and put {file} into your backup in the old one's place.\n"
    )
    assert (code, *capsys.readouterr()) == (0, told, "")
    assert leads_from(old, new)
