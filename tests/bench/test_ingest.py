"""What the ingest bench measures with, and a slice of it."""

import json
from pathlib import Path

import pytest

from tests.bench import ingest
from tests.bench._posting import Bodies, post


def begun(request: bytes) -> list[str]:
    """When the alerts of a request begin."""
    return [alert["startsAt"] for alert in json.loads(request.partition(b"\r\n\r\n")[2])["alerts"]]


def test_no_two_requests_say_the_same() -> None:
    """Or nothing would have to be written."""
    bodies = Bodies("http://127.0.0.1:1", "token", ingest.alerts()[:3], 1)

    times = [begun(bodies.next())[0] for _ in range(1000)]

    assert len(set(times)) == 1000
    assert sorted(times) == times


def test_a_request_is_as_long_as_it_says() -> None:
    """Whatever time it carries."""
    request = Bodies("http://127.0.0.1:1", "token", ingest.alerts(), ingest.ALERTS).next()

    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert len(begun(request)) == ingest.ALERTS


def test_the_real_receiver_takes_what_is_posted(tmp_path: Path) -> None:
    """Singly from many, and a thousand at once; each changes its row."""
    with ingest.receiver(tmp_path / "receiver") as server:
        ingest.measure(server, 0.1, 1)

        assert server.single[0].answered >= ingest.SENDERS
        assert ingest.check(server, tmp_path / "receiver" / "receiver.db") == "1000 rows begin as posted"


def test_a_refusal_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    """A bench of refusals would be fast."""
    with ingest.receiver(tmp_path / "receiver") as server:
        bodies = Bodies(server.url, "wrong", ingest.alerts(), 1)

        with pytest.raises(AssertionError, match="401"):
            post(server.url, bodies, senders=1, until=lambda answered: answered >= 1)
