"""Tests of client_sync/cache.py: what is taken in, what is refused, and what is on disk afterwards."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sync.cache import Documents, ManagedPeers, RefusedDocumentError
from tests.client_sync.samples import FLEET, peer_set, public_key, signed, worker
from wgfleet.peerset import PeerSet
from wgfleet.signing import Signer, Verifier

OURS = Signer.generate()
THEIRS = Signer.generate()
FIRST = peer_set(worker(1), generation=7)
SECOND = peer_set(worker(1), worker(2), generation=8)


def documents(directory: Path, *, fleet: str = FLEET) -> Documents:
    """Those of one run of the daemon, with our key pinned."""
    return Documents(directory, Verifier([OURS.public_text]), fleet)


def refusal(cache: Documents, document: bytes) -> str:
    """Why this document is not taken."""
    with pytest.raises(RefusedDocumentError) as caught:
        cache.take(document)
    return str(caught.value)


def test_a_good_document_is_taken(tmp_path: Path) -> None:
    """Signed by the pinned key, of our fleet, and the first."""
    assert documents(tmp_path).take(signed(OURS, FIRST)) == FIRST


def test_a_newer_document_is_taken(tmp_path: Path) -> None:
    """A higher generation."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, FIRST))

    assert cache.take(signed(OURS, SECOND)) == SECOND


def test_a_higher_epoch_outranks_any_generation(tmp_path: Path) -> None:
    """A receiver restored from a backup counts generations anew."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, SECOND))
    restored = replace(FIRST, epoch=2, generation=1)

    assert cache.take(signed(OURS, restored)) == restored


def test_the_same_document_again_is_nothing_new(tmp_path: Path) -> None:
    """It comes with every connection."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, FIRST))

    assert cache.take(signed(OURS, FIRST)) is None


@pytest.mark.parametrize(
    ("late", "number"),
    [(FIRST, "1.7"), (replace(FIRST, epoch=0, generation=99), "0.99"), (SECOND, "1.8")],
    ids=["generation", "epoch", "same number, other bytes"],
)
def test_a_document_that_is_not_newer_is_refused(tmp_path: Path, late: PeerSet, number: str) -> None:
    """Older ones, and one of the same number that says something else; both numbers are named."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, replace(SECOND, workers=())))

    assert refusal(cache, signed(OURS, late)) == (
        f"it is number {number}, we have 1.8: an old or forged document"
    )


def test_a_forged_document_is_refused(tmp_path: Path) -> None:
    """Signed by a key that is not pinned; the key is named."""
    text = refusal(documents(tmp_path), signed(THEIRS, FIRST))

    assert text.startswith("signed with key '")
    assert ", trusted are " in text


def test_a_document_under_our_keys_name_but_with_their_signature_is_refused(tmp_path: Path) -> None:
    """The name of a key proves nothing."""
    ours, theirs = (signed(signer, FIRST).split(b".") for signer in (OURS, THEIRS))

    assert refusal(documents(tmp_path), b".".join([ours[0], ours[1], theirs[2]])) == (
        "not a document we can trust: Signature verification failed"
    )


def test_a_document_that_was_changed_is_refused(tmp_path: Path) -> None:
    """One worker more, under the old signature."""
    first, second = (signed(OURS, document).split(b".") for document in (FIRST, SECOND))

    assert refusal(documents(tmp_path), b".".join([first[0], second[1], first[2]])) == (
        "not a document we can trust: Signature verification failed"
    )


def test_another_fleets_document_is_refused(tmp_path: Path) -> None:
    """Though the same receiver signed it."""
    assert refusal(documents(tmp_path), signed(OURS, peer_set(worker(1), fleet="other"))) == (
        "peer set: fleet is 'other', expected 'example'"
    )


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (
            "type",
            "wgfleet/client-list",
            "peer set: type is 'wgfleet/client-list', expected 'wgfleet/peer-set'",
        ),
        ("format", 2, "peer set: format is 2, expected 1"),
        ("generation", "many", "peer set: generation is 'many', expected int"),
    ],
)
def test_a_document_of_another_kind_is_refused(tmp_path: Path, field: str, value: object, text: str) -> None:
    """The signature is good, but it is not what we asked for."""
    document = OURS.sign(json.dumps({**json.loads(FIRST.to_bytes()), field: value}).encode())

    assert refusal(documents(tmp_path), document) == text


def test_a_refused_document_changes_nothing(tmp_path: Path) -> None:
    """What is newest stays newest, in memory and on disk."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, FIRST))
    refusal(cache, signed(THEIRS, SECOND))
    refusal(cache, signed(OURS, replace(SECOND, fleet="other")))
    cache.keep()

    assert cache.take(signed(OURS, FIRST)) is None
    assert documents(tmp_path).last_good() == FIRST


NESTED = b"[" * 100_000
HOSTILE = [
    b"..",
    b"{}",
    b"\xff\xfe.\x00.\n",
    base64.urlsafe_b64encode(b'{"kid":' + NESTED).rstrip(b"=") + b"..",
    b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"none"}', b"{}", b"")),
]


@pytest.mark.parametrize("document", HOSTILE, ids=["dots", "json", "binary", "nested", "unsigned"])
def test_whatever_a_stranger_sends_is_refused(tmp_path: Path, document: bytes) -> None:
    """Documents come by ways that nobody trusts: not one of them may end the daemon."""
    assert refusal(documents(tmp_path), document)


@given(document=st.binary(min_size=1, max_size=300))
def test_noise_is_refused(document: bytes) -> None:
    """Any bytes at all."""
    assert refusal(documents(Path("/nonexistent")), document)


@given(at=st.integers(0, len(signed(OURS, FIRST)) - 1), byte=st.integers(0, 255))
def test_a_document_with_one_wrong_byte_never_says_anything_else(at: int, byte: int) -> None:
    """It is refused, or it is the same document in other words (base64 has idle bits in its last letter)."""
    document = bytearray(signed(OURS, FIRST))
    document[at] = byte
    try:
        taken = documents(Path("/nonexistent")).take(bytes(document))
    except RefusedDocumentError:
        return
    assert taken == FIRST


# On disk.


def test_a_document_is_on_disk_only_when_it_is_kept(tmp_path: Path) -> None:
    """Taking it in writes nothing: a slow disk holds up no failover."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, FIRST))
    assert documents(tmp_path).last_good() is None

    cache.keep()

    assert documents(tmp_path).last_good() == FIRST


def test_only_its_owner_reads_the_kept_document(tmp_path: Path) -> None:
    """It says where all workers are."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, FIRST))
    cache.keep()

    assert [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()] == [0o600]


def test_a_kept_document_is_not_taken_again_nor_an_older_one(tmp_path: Path) -> None:
    """A restart forgets no number."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, SECOND))
    cache.keep()

    restarted = documents(tmp_path)
    restarted.last_good()

    assert restarted.take(signed(OURS, SECOND)) is None
    assert refusal(restarted, signed(OURS, FIRST)).startswith("it is number 1.7, we have 1.8")


def test_without_a_kept_document_there_is_none(tmp_path: Path) -> None:
    """The first start."""
    assert documents(tmp_path).last_good() is None


@pytest.mark.parametrize(
    "kept", [b"", b"half of a docu", signed(THEIRS, FIRST)], ids=["empty", "half", "forged"]
)
def test_a_kept_document_is_checked_like_any_other(
    tmp_path: Path, kept: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken or forged file is reported and left aside, and the next good document is taken."""
    (tmp_path / "peer-set.jws").write_bytes(kept)
    cache = documents(tmp_path)

    assert cache.last_good() is None
    assert [record.getMessage() for record in caplog.records] == ["kept document refused"]
    assert cache.take(signed(OURS, FIRST)) == FIRST


def test_another_fleets_kept_document_is_left_aside(tmp_path: Path) -> None:
    """The configuration was changed, the folder was not."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, FIRST))
    cache.keep()

    assert documents(tmp_path, fleet="other").last_good() is None


def test_a_document_that_cannot_be_kept_leaves_the_old_one(tmp_path: Path) -> None:
    """A file is whole or as it was, and nothing lies about."""
    cache = documents(tmp_path)
    cache.take(signed(OURS, FIRST))
    cache.keep()
    (tmp_path / "peer-set.jws").rename(tmp_path / "aside")
    (tmp_path / "peer-set.jws").mkdir()  # No file can be put in the place of a folder.
    cache.take(signed(OURS, SECOND))

    with pytest.raises(OSError, match="peer-set"):
        cache.keep()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["aside", "peer-set.jws"]


# Which peers are ours.


def test_our_peers_are_remembered(tmp_path: Path) -> None:
    """In this run and in the next."""
    keys = frozenset({public_key(1), public_key(2)})
    managed = ManagedPeers(tmp_path)

    managed.replace(keys)

    assert managed.keys == keys
    assert ManagedPeers(tmp_path).keys == keys


def test_at_first_no_peer_is_ours(tmp_path: Path) -> None:
    """What was there before us is somebody else's."""
    assert ManagedPeers(tmp_path).keys == frozenset()


@pytest.mark.parametrize("kept", [b"", b"[", b"{}", b'"all"', b"17", b"\xff"])
def test_with_a_broken_note_no_peer_is_ours(tmp_path: Path, kept: bytes) -> None:
    """Too few peers are removed then, and not too many; and it can be written anew."""
    (tmp_path / "managed-peers.json").write_bytes(kept)
    managed = ManagedPeers(tmp_path)
    assert managed.keys == frozenset()

    managed.replace(frozenset({public_key(1)}))

    assert ManagedPeers(tmp_path).keys == {public_key(1)}


def test_what_is_no_key_in_the_note_is_left_out(tmp_path: Path) -> None:
    """The rest is still good."""
    (tmp_path / "managed-peers.json").write_text(json.dumps([public_key(1), 17, None, [public_key(2)]]))

    assert ManagedPeers(tmp_path).keys == {public_key(1)}


def test_one_more_key_is_appended_to_the_note(tmp_path: Path) -> None:
    """And all of them are there in the next run; a removal is a new file."""
    managed = ManagedPeers(tmp_path)
    managed.replace(frozenset({public_key(1), public_key(2)}))
    before = (tmp_path / "managed-peers.json").stat().st_ino
    managed.replace(frozenset({public_key(1), public_key(2), public_key(3)}))

    assert (tmp_path / "managed-peers.json").stat().st_ino == before
    assert ManagedPeers(tmp_path).keys == {public_key(1), public_key(2), public_key(3)}

    managed.replace(frozenset({public_key(3)}))

    assert ManagedPeers(tmp_path).keys == {public_key(3)}


def test_half_a_line_of_the_note_spoils_neither_those_before_it_nor_those_after(tmp_path: Path) -> None:
    """The power was cut while a key was appended: that peer had not been added yet."""
    managed = ManagedPeers(tmp_path)
    managed.replace(frozenset({public_key(1)}))
    managed.replace(frozenset({public_key(1), public_key(2)}))
    file = tmp_path / "managed-peers.json"
    file.write_bytes(file.read_bytes()[:-5])
    managed = ManagedPeers(tmp_path)

    assert managed.keys == {public_key(1)}

    managed.replace(frozenset({public_key(1), public_key(3)}))

    assert ManagedPeers(tmp_path).keys == {public_key(1), public_key(3)}


def test_a_note_that_somebody_removed_is_written_anew(tmp_path: Path) -> None:
    """With all keys, not with the new one alone."""
    managed = ManagedPeers(tmp_path)
    managed.replace(frozenset({public_key(1)}))
    (tmp_path / "managed-peers.json").unlink()
    managed.replace(frozenset({public_key(1), public_key(2)}))

    assert ManagedPeers(tmp_path).keys == {public_key(1), public_key(2)}
