"""Tests of client_sync/worker/published.py: what is taken, what is kept, and what a restart begins with."""

import json
from pathlib import Path

from client_sync.cache import Documents
from client_sync.worker.published import Published
from tests.client_sync.samples import FLEET, peer_set, signed, worker
from wgfleet.peerset import PeerSet, WorkerState
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()
DRAINED = (worker(1, WorkerState.DRAINING), worker(2, WorkerState.DOWN))


def published(directory: Path) -> Published:
    """One run of the daemon's, on w1."""
    documents = Documents(directory, Verifier([SIGNER.public_text]), FLEET)
    return Published(documents, "w1", directory / "status.json")


def take(one: Published, document: PeerSet) -> bool:
    """As it arrives."""
    return one.document(signed(SIGNER, document))


def test_before_the_first_peer_set_the_worker_does_not_attract(tmp_path: Path) -> None:
    """And there is nothing to show."""
    one = published(tmp_path)

    assert one.attraction.attracts is False
    assert one.status() is None


def test_what_was_heard_last_counts_after_a_restart(tmp_path: Path) -> None:
    """With the receiver gone it may be all there ever is."""
    assert take(published(tmp_path), peer_set(worker(1), generation=4))

    again = published(tmp_path)

    assert again.status() == {
        "epoch": 1,
        "generation": 4,
        "monitoring": "live",
        "state": "serving",
        "attracts": True,
        "reason": "serving (up)",
    }


def test_the_last_that_was_left_goes_on_attracting_over_a_restart(tmp_path: Path) -> None:
    """Nobody serves, and it did until then."""
    one = published(tmp_path)
    take(one, peer_set(worker(1), generation=1))
    take(one, peer_set(*DRAINED, generation=2))
    assert one.attraction.attracts
    (tmp_path / "status.json").write_text(json.dumps({"published": one.status()}))

    assert published(tmp_path).attraction.attracts


def test_what_is_forged_old_or_there_already_changes_nothing(tmp_path: Path) -> None:
    """Nothing new is to be told of it."""
    one = published(tmp_path)
    take(one, peer_set(worker(1), generation=2))

    assert not take(one, peer_set(worker(1), generation=2))
    assert not take(one, peer_set(*DRAINED, generation=1))
    assert not one.document(Signer.generate().sign(peer_set(*DRAINED, generation=3).to_bytes()))
    assert one.attraction.attracts
