"""Tests of client_sync/cache.py for workers: client lists are taken in and kept as peer sets are."""

from pathlib import Path

import pytest

from client_sync.cache import ClientLists, RefusedDocumentError
from tests.client_sync import samples
from tests.client_sync.samples import FLEET
from tests.client_sync.worker.samples import many, signed
from wgfleet.clientlist import ClientList
from wgfleet.signing import Signer, Verifier

OURS = Signer.generate()


def lists(directory: Path) -> ClientLists:
    """Those of one run of the daemon, with our first key pinned."""
    return ClientLists(directory, Verifier([OURS.public_text]), FLEET)


def test_a_list_is_kept_for_the_next_run(tmp_path: Path) -> None:
    """In a file that its owner alone reads: it names every client."""
    cache = lists(tmp_path)
    cache.take(signed(OURS, many(2)))
    cache.keep()

    assert lists(tmp_path).last_good() == many(2)
    assert (tmp_path / "client-list.jws").stat().st_mode & 0o777 == 0o600


def test_a_peer_set_is_no_client_list(tmp_path: Path) -> None:
    """Though the same receiver signed it."""
    with pytest.raises(RefusedDocumentError, match="client list: type is 'wgfleet/peer-set'"):
        lists(tmp_path).take(samples.signed(OURS, samples.peer_set(samples.worker(1))))


def test_a_rotation_of_the_key_is_followed_over_a_restart_too(tmp_path: Path) -> None:
    """By endorsements; whoever has the old key is believed no more."""
    new = OURS.successor(fleet=FLEET, now=0.0)
    cache = lists(tmp_path)
    cache.take(signed(new, many(2)))
    cache.keep()

    again = lists(tmp_path)

    assert again.last_good() == many(2)
    with pytest.raises(RefusedDocumentError, match="signed with key"):
        again.take(signed(OURS, many(3, generation=2)))


def test_a_list_that_must_not_be_applied_is_as_if_it_had_never_come(tmp_path: Path) -> None:
    """The next one is compared with the one before, and so is its number."""

    def never(_clients: ClientList) -> None:
        raise RefusedDocumentError("too many")

    cache = lists(tmp_path)
    cache.take(signed(OURS, many(3)))

    with pytest.raises(RefusedDocumentError, match="too many"):
        cache.take(signed(OURS, many(1, generation=9)), check=never)

    assert cache.take(signed(OURS, many(3, generation=2))) == many(3, generation=2)
