"""What the bench makes of documents and figures. The series of a real fleet are counted in tests/system."""

import json

import pytest

from tests.bench._series import Series
from tests.bench.sizes import (
    FLEET,
    Held,
    Size,
    client_list,
    holding,
    peer_set,
    print_tables,
    size,
    summary,
)
from wgfleet.clientlist import ClientList
from wgfleet.peerset import PeerSet


def test_what_is_measured_are_documents_that_a_daemon_takes() -> None:
    """Each entry of them is one that is checked and kept."""
    peers = PeerSet.from_bytes(peer_set(64).to_bytes(), fleet=FLEET)
    clients = ClientList.from_bytes(client_list(300, 1).to_bytes(), fleet=FLEET)

    assert (len(peers.workers), len(clients.clients)) == (64, 300)


def test_a_document_is_packed_where_the_receiver_packs_it() -> None:
    """A small one is sent as it is."""
    small, large = size(8, peer_set(8)), size(1_000, client_list(1_000, 1))

    assert small.packed == small.sent
    assert large.packed < large.sent / 2


def test_a_list_takes_memory_and_more_while_the_next_one_comes() -> None:
    """By a process of its own."""
    held = holding(5_000)

    assert held.clients == 5_000
    assert 0 < held.mib < held.most_mib


def test_the_last_line_has_each_size_by_what_it_grows_with(capsys: pytest.CaptureFixture[str]) -> None:
    """It is JSON, and the tables can be printed."""
    measured = (
        [Size(4, 2000, 2000)],
        [Size(1000, 150_000, 50_000)],
        [Held(1000, 1.25, 3.0)],
        Series(141, 4, 900),
    )

    print_tables(*measured)

    assert "141 for a worker" in capsys.readouterr().out
    assert json.loads(json.dumps(summary(*measured))) == {
        "peer_set_bytes": {"4": 2000},
        "bytes_per_worker": 500,
        "client_list_bytes": {"1000": 150_000},
        "client_list_gzip_bytes": {"1000": 50_000},
        "bytes_per_client": 150,
        "list_held_mib": {"1000": 1.2},
        "list_most_mib": {"1000": 3.0},
        "series_per_worker": 141,
        "series_per_client_and_worker": 4,
        "series_of_the_rest": 900,
    }
