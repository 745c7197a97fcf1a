"""Tests of client_sync/cache.py and trust.py: the receiver's key rotates, and what the client trusts follows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from client_sync.cache import Documents, RefusedDocumentError
from tests.client_sync.samples import FLEET, peer_set, signed, worker
from wgfleet.files import write_whole
from wgfleet.peerset import PeerSet
from wgfleet.signing import Signer, Verifier

FIRST = Signer.generate()
SECOND = FIRST.successor(fleet=FLEET, now=1.0)
THIRD = SECOND.successor(fleet=FLEET, now=2.0)
SPARE = Signer.generate()


def numbered(generation: int) -> PeerSet:
    """A document of this number."""
    return peer_set(worker(1), generation=generation)


def documents(directory: Path, *pinned: Signer) -> Documents:
    """Those of one run of the daemon; the first key is pinned unless others are."""
    return Documents(directory, Verifier(key.public_text for key in pinned or [FIRST]), FLEET)


def kept(directory: Path, *pinned: Signer) -> PeerSet | None:
    """What a restart comes up with."""
    return documents(directory, *pinned).last_good()


def accept(cache: Documents, signer: Signer, generation: int) -> None:
    """Take a document and keep it."""
    assert cache.take(signed(signer, numbered(generation))) == numbered(generation)
    cache.keep()


def refusal(cache: Documents, signer: Signer, generation: int = 99) -> str:
    """Why a document by this key is not taken."""
    with pytest.raises(RefusedDocumentError) as caught:
        cache.take(signed(signer, numbered(generation)))
    return str(caught.value)


def restarted(directory: Path, *pinned: Signer) -> Documents:
    """The next run, which has looked at what is kept."""
    cache = documents(directory, *pinned)
    cache.last_good()
    return cache


def test_a_client_follows_a_rotation(tmp_path: Path) -> None:
    """Nobody touches its configuration; the old key is no longer believed."""
    cache = documents(tmp_path)
    accept(cache, FIRST, 1)
    accept(cache, SECOND, 2)

    assert refusal(cache, FIRST).startswith(f"signed with key '{FIRST.key_id}', trusted are {SECOND.key_id};")


def test_what_was_followed_survives_a_restart(tmp_path: Path) -> None:
    """As the document does."""
    accept(documents(tmp_path), THIRD, 3)

    cache = restarted(tmp_path)

    assert refusal(cache, FIRST).startswith(f"signed with key '{FIRST.key_id}', trusted are {THIRD.key_id};")
    assert cache.take(signed(THIRD, numbered(4))) == numbered(4)


def test_what_was_followed_outlives_the_document(tmp_path: Path) -> None:
    """Whoever loses the document does not believe the old key again."""
    accept(documents(tmp_path), THIRD, 3)
    (tmp_path / "peer-set.jws").unlink()

    assert refusal(restarted(tmp_path), SECOND).startswith(f"signed with key '{SECOND.key_id}', trusted are ")


def test_a_client_follows_rotations_that_its_pins_have_no_part_in(tmp_path: Path) -> None:
    """It remembers where it was: each document brings the last ten endorsements only."""
    signer = FIRST
    for generation in range(1, 31):
        signer = signer.successor(fleet=FLEET, now=1.0)
        if generation % 10 == 0:  # It was off in between.
            accept(restarted(tmp_path), signer, generation)

    assert kept(tmp_path) == numbered(30)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (
            signed(SECOND, replace(numbered(9), fleet="other")),
            "peer set: fleet is 'other', expected 'example'",
        ),
        (signed(SECOND, numbered(5)), "it is number 1.5, we have 1.5: an old or forged document"),
        (SECOND.sign(b"{}"), "peer set: type is None, expected 'wgfleet/peer-set'"),
    ],
    ids=["another fleet's", "not newer", "no peer set"],
)
def test_a_document_that_is_not_accepted_moves_no_trust(tmp_path: Path, document: bytes, why: str) -> None:
    """Though its endorsements and its signature are good."""
    cache = documents(tmp_path)
    accept(cache, FIRST, 5)

    with pytest.raises(RefusedDocumentError, match=f"^{why}$"):
        cache.take(document)

    assert cache.take(signed(FIRST, numbered(6))) == numbered(6)


def test_a_rotation_of_another_fleets_key_is_not_followed(tmp_path: Path) -> None:
    """One key may have served two fleets."""
    other = FIRST.successor(fleet="other", now=1.0)

    assert refusal(documents(tmp_path), other) == "endorsement 1 of 1: fleet is 'other', expected 'example'"


# On disk.


def test_only_its_owner_reads_the_kept_keys(tmp_path: Path) -> None:
    """And writes them: whoever could would choose whom we believe."""
    accept(documents(tmp_path), SECOND, 1)

    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "peer-set.jws": 0o600,
        "peer-set.keys": 0o600,
    }


def test_the_kept_keys_say_what_they_began_with(tmp_path: Path) -> None:
    """Fleet and pins, by the names of the keys, and the keys themselves that are trusted now."""
    pins = [FIRST, *(Signer.generate() for _ in range(5))]
    accept(documents(tmp_path, *pins), SECOND, 1)

    assert json.loads((tmp_path / "peer-set.keys").read_text()) == {
        "fleet": FLEET,
        "pinned": sorted(pin.key_id for pin in pins),
        "trusted": sorted(key.public_text for key in [SECOND, *pins[1:]]),
    }


def test_before_a_rotation_no_keys_are_kept(tmp_path: Path) -> None:
    """The configuration says it all, and each document costs one write."""
    accept(documents(tmp_path), FIRST, 1)

    assert [file.name for file in tmp_path.iterdir()] == ["peer-set.jws"]


@pytest.mark.parametrize(
    "pinned", [(THIRD,), (SPARE,), (FIRST, SPARE)], ids=["the present", "another", "one more"]
)
def test_once_other_keys_are_pinned_they_count(tmp_path: Path, pinned: tuple[Signer, ...]) -> None:
    """The operator's word is the last, in this run and in those after it."""
    accept(documents(tmp_path), SECOND, 1)

    accept(restarted(tmp_path, *pinned), pinned[-1], 2)

    assert kept(tmp_path, *pinned) == numbered(2)


def test_pins_that_come_back_begin_anew(tmp_path: Path) -> None:
    """What followed from them was another time's."""
    accept(documents(tmp_path), SECOND, 1)
    accept(restarted(tmp_path, SPARE), SPARE, 2)

    accept(restarted(tmp_path), FIRST, 3)


def test_pins_in_another_order_are_the_same_pins(tmp_path: Path) -> None:
    """What was followed is not forgotten for it."""
    accept(documents(tmp_path, FIRST, SPARE), SECOND, 1)

    assert refusal(documents(tmp_path, SPARE, FIRST), FIRST).startswith("signed with key ")


def test_a_key_that_is_pinned_for_later_stays_trusted(tmp_path: Path) -> None:
    """Over rotations and restarts: it is what is left when the receiver's own key was stolen."""
    accept(documents(tmp_path, FIRST, SPARE), THIRD, 1)

    accept(restarted(tmp_path, FIRST, SPARE), SPARE, 2)


def test_keys_of_another_fleet_are_left_aside(tmp_path: Path) -> None:
    """The configuration was changed, the folder was not."""
    accept(documents(tmp_path), SECOND, 1)

    other = Documents(tmp_path, Verifier([FIRST.public_text]), "other")

    assert other.take(signed(FIRST, replace(numbered(1), fleet="other"))) is not None


BROKEN = [b"", b"[", b"[]", b"{}", b"7", b"\xff", b"[" * 100_000]


@pytest.mark.parametrize(
    "found", BROKEN, ids=["empty", "half", "list", "object", "number", "binary", "nested"]
)
def test_with_broken_keys_the_pinned_ones_count(
    tmp_path: Path, found: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said; the kept document leads to where we were, and the next one mends the file."""
    accept(documents(tmp_path), SECOND, 1)
    (tmp_path / "peer-set.keys").write_bytes(found)

    cache = restarted(tmp_path)
    accept(cache, SECOND, 2)

    assert [record.getMessage() for record in caplog.records] == ["kept keys left aside, trusted_keys count"]
    assert json.loads((tmp_path / "peer-set.keys").read_text())["trusted"] == [SECOND.public_text]


@pytest.mark.parametrize("trusted", [[], ["a-secret"], "a-secret", [7], None, {}])
def test_kept_keys_that_are_none_are_left_aside_unquoted(
    tmp_path: Path, trusted: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Likewise."""
    said = {"fleet": FLEET, "pinned": [FIRST.key_id], "trusted": trusted}
    (tmp_path / "peer-set.keys").write_text(json.dumps(said))

    accept(documents(tmp_path), FIRST, 1)

    assert [record.getMessage() for record in caplog.records] == ["kept keys left aside, trusted_keys count"]
    assert "a-secret" not in str([getattr(record, "facts", {}) for record in caplog.records])


def test_keys_that_cannot_be_read_are_left_aside(tmp_path: Path) -> None:
    """Here the name is a folder's: it is reported, and the daemon comes up."""
    (tmp_path / "peer-set.keys").mkdir()

    assert documents(tmp_path).take(signed(FIRST, numbered(1))) == numbered(1)


# Crashes.


class PowerCutError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def cut_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets this many files be written, and then cuts the power; a negative number: never."""
    left = [-1]

    def until_power_cut(path: Path, content: bytes, *, mode: int = 0o600) -> None:
        if left[0] == 0:
            raise PowerCutError
        left[0] -= 1
        write_whole(path, content, mode=mode)

    for module in ("cache", "trust"):
        monkeypatch.setattr(f"client_sync.{module}.write_whole", until_power_cut)

    def arm(writes: int) -> None:
        left[0] = writes

    return arm


@pytest.mark.parametrize(
    ("writes", "comes_up_with"), [(0, 1), (1, 2)], ids=["before the document", "before the keys"]
)
def test_after_a_crash_what_is_kept_can_be_verified(
    tmp_path: Path, cut_after: Callable[[int], None], writes: int, comes_up_with: int
) -> None:
    """Wherever it came: there is no moment at which the keys on disk have left the document behind, nor it them."""
    cache = documents(tmp_path)
    accept(cache, FIRST, 1)
    cut_after(writes)
    with pytest.raises(PowerCutError):
        accept(cache, SECOND, 2)
    cut_after(-1)

    assert kept(tmp_path) == numbered(comes_up_with)
    accept(restarted(tmp_path), SECOND, 3)
    assert kept(tmp_path) == numbered(3)


def test_keys_that_are_kept_already_are_not_written_again(
    tmp_path: Path, cut_after: Callable[[int], None]
) -> None:
    """After a rotation, too, each document costs one write."""
    accept(documents(tmp_path), SECOND, 1)
    cache = restarted(tmp_path)
    cut_after(1)

    accept(cache, SECOND, 2)


def test_after_a_crash_before_the_keys_the_old_key_is_not_believed(
    tmp_path: Path, cut_after: Callable[[int], None]
) -> None:
    """The document that is kept says who comes after it."""
    cut_after(1)
    with pytest.raises(PowerCutError):
        accept(documents(tmp_path), SECOND, 2)

    assert refusal(restarted(tmp_path), FIRST).startswith(f"signed with key '{FIRST.key_id}', trusted are ")


def test_a_second_crash_at_the_same_place_loses_nothing_either(
    tmp_path: Path, cut_after: Callable[[int], None]
) -> None:
    """Ten rotations later the newest document no longer leads from where the keys on disk stand: they are written first."""
    cut_after(1)
    with pytest.raises(PowerCutError):
        accept(documents(tmp_path), SECOND, 2)
    newest = SECOND
    for _ in range(10):
        newest = newest.successor(fleet=FLEET, now=3.0)

    cut_after(2)
    with pytest.raises(PowerCutError):
        accept(restarted(tmp_path), newest, 3)

    assert kept(tmp_path) == numbered(3)


def test_keys_that_cannot_be_written_are_written_with_the_next_document(
    tmp_path: Path, cut_after: Callable[[int], None]
) -> None:
    """A full disk is no reason to forget where we are."""
    cache = documents(tmp_path)
    cut_after(1)
    with pytest.raises(PowerCutError):
        accept(cache, SECOND, 1)
    cut_after(-1)
    accept(cache, SECOND, 2)

    assert json.loads((tmp_path / "peer-set.keys").read_text())["trusted"] == [SECOND.public_text]
