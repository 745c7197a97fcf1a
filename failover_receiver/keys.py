"""The document signing key on disk: read at start, and replaced by one that it has endorsed.

Key and endorsements are one file, so that there is no moment at which only one of them is new.
"""

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from failover_receiver.store import Noted, Store
from wgfleet.files import read_secret, write_whole
from wgfleet.peerset import TYPE as PEER_SET
from wgfleet.signing import Signer

ROTATED = "key rotated"
"""What the history calls it."""


def read(file: Path, fleet: str) -> Signer:
    """The signing key that this file holds.

    Raises:
        ValueError: it holds none, or one that was rotated under another fleet's name; the text quotes nothing of it.

    """
    text = read_secret(file, what="signing key", one_line=False)  # Endorsements follow the key.
    try:
        return Signer.from_text(text, fleet=fleet)
    except ValueError as error:
        raise ValueError(f"signing_key_file: {file}: {error}") from None


def rotate(file: Path, fleet: str, *, now: float) -> tuple[Signer, Signer]:
    """Replace the key by one that it endorses; return the old and the new one.

    Raises:
        ValueError: the file is not a signing key of that fleet, or another user's. Nothing has changed.

    """
    file = file.resolve()  # Where it is a link, the key behind the link is the one to go.
    with _alone(file.parent):
        old = read(file, fleet)
        _must_be_ours_alone(file)
        for cut_off in file.parent.glob(f".{file.name}.*"):  # Of a rotation that never came to its end.
            cut_off.unlink()
        new = old.successor(fleet=fleet, now=now)
        write_whole(file, f"{new.to_text()}\n".encode())
    return old, new


def note_new(store: Store, signer: Signer, *, now: float) -> None:
    """Put it into the history when documents were signed with another key until now."""
    document = store.document(PEER_SET)
    if document is None or signer.signed(document.body):
        return
    with store.available(), store.transaction() as db:
        reason = "documents are signed with it from now on"
        number = document.epoch, document.generation
        store.note(db, Noted(now, "start", ROTATED, signer.key_id, reason, *number))


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two rotations at once would each endorse a key of their own, and one of the two is lost."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _must_be_ours_alone(file: Path) -> None:
    """The new file will be this user's and nobody else's: then the receiver must be this user, too."""
    status = file.stat()
    if status.st_uid != os.geteuid():
        owner = _name(status.st_uid)
        raise ValueError(
            f"{file} belongs to {owner}, and would not once it is replaced by {_name(os.geteuid())}: "
            f"run this as {owner}, by `sudo -u {owner}`"
        )
    if status.st_mode & 0o077:
        raise ValueError(
            f"{file} is open to others (mode {status.st_mode & 0o777:o}), and would not be once it is replaced: "
            "chmod 600 it first, and see that the receiver still reads it"
        )


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
