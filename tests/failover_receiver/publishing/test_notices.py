"""Tests of failover_receiver/publishing/notices.py: what is told, and how it is signed."""

import json
from dataclasses import replace

import pytest

from failover_receiver.publishing import notices
from tests.failover_receiver.parts import FLEET
from tests.failover_receiver.publishing.recording import said
from tests.failover_receiver.story import spec
from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState


def worker(name: str, state: WorkerState, reason: str) -> PublishedWorker:
    """One in that state."""
    of = spec(1)
    return PublishedWorker(
        name, of.public_key, of.endpoints, of.tunnel_addresses, of.allowed_ips, state, reason
    )


FRA, AMS = worker("fra1", WorkerState.SERVING, "up"), worker("ams1", WorkerState.SERVING, "up")
BEFORE = replace(said(7), workers=(FRA, AMS))


def after(*workers: PublishedWorker) -> PeerSet:
    """The next one."""
    return replace(said(8), workers=workers)


def test_a_notice_is_signed_as_the_standard_says() -> None:
    """The standard's own example; its libraries verify ours by this."""
    keys = notices.secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")

    headers = notices.headers(b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek", keys, now=1614265330.9)

    assert headers == {
        "Content-Type": "application/json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_make_two_signatures() -> None:
    """Whoever verifies changes from one to the other in its own time."""
    keys = notices.secrets(f"whsec_{'A' * 32}\n\nwhsec_{'B' * 32}\n")

    signatures = notices.headers(b"{}", "id", keys, now=1.0)["webhook-signature"].split(" ")

    assert len(signatures) == len(set(signatures)) == 2
    assert all(signature.startswith("v1,") for signature in signatures)


@pytest.mark.parametrize("text", ["hunter2", "whsec_hunter2", f"whsec_{'A' * 28}", f"whsec_{'A' * 96}"])
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    """Too short, too long, or no base64: with how to make one."""
    with pytest.raises(ValueError, match="openssl rand -base64 32") as caught:
        notices.secrets(text)

    assert text.removeprefix("whsec_") not in str(caught.value)


def test_a_notice_says_what_changed_and_how_all_stand() -> None:
    """Each worker that moved, with before, after and reason."""
    new = after(worker("fra1", WorkerState.DOWN, "worker_down"), AMS)

    told = json.loads(notices.notice(new, BEFORE, '"tag"', None))

    assert told == {
        "type": "wgfleet.peer_set.changed",
        "timestamp": "1970-01-01T00:16:40.000Z",
        "data": {
            "fleet": FLEET,
            "epoch": 1,
            "generation": 8,
            "etag": '"tag"',
            "monitoring": "live",
            "since": {"epoch": 1, "generation": 7},
            "changes": [{"worker": "fra1", "before": "serving", "after": "down", "reason": "worker_down"}],
            "workers": [
                {"name": "fra1", "state": "down", "reason": "worker_down", "monitored": True},
                {"name": "ams1", "state": "serving", "reason": "up", "monitored": True},
            ],
        },
    }


def test_workers_that_come_and_go_are_changes() -> None:
    """One that was removed has no state any more."""
    new = after(AMS, worker("par1", WorkerState.JOINING, "registered"))

    changes = json.loads(notices.notice(new, BEFORE, "", None))["data"]["changes"]

    assert changes == [
        {"worker": "fra1", "before": "serving", "after": None, "reason": "removed"},
        {"worker": "par1", "before": None, "after": "joining", "reason": "registered"},
    ]


def test_the_first_notice_says_how_all_stand_and_no_change() -> None:
    """What was before is not known."""
    told = json.loads(notices.notice(BEFORE, None, "", None))["data"]

    assert (told["since"], told["changes"], len(told["workers"])) == (None, [], 2)


def test_the_document_comes_along_where_it_is_asked_for() -> None:
    """As it is signed."""
    assert json.loads(notices.notice(BEFORE, None, "", b"a.b.c"))["data"]["document"] == "a.b.c"


def test_an_issue_that_says_nothing_else_is_no_news() -> None:
    """A document is issued anew so that it stays fresh; a worker's weight, or blindness, is news."""
    assert not notices.is_news(replace(BEFORE, generation=8, issued_at=5000.0, fresh_until=9000.0), BEFORE)
    assert notices.is_news(replace(BEFORE, workers=(FRA, replace(AMS, weight=25))), BEFORE)
    assert notices.is_news(replace(BEFORE, monitoring=Monitoring.BLIND), BEFORE)
    assert notices.is_news(BEFORE, None)


def test_the_same_document_has_the_same_identity() -> None:
    """After a restart, too."""
    assert notices.identity(said(7)) == f"{FLEET}-1-7"
