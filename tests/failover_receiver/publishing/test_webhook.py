"""Tests of failover_receiver/publishing/webhook.py and http.py, against a real server."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failover_receiver.publishing import PublishingError, runner
from failover_receiver.publishing.places import Webhook
from failover_receiver.publishing.webhook import WebhookPublisher
from failover_receiver.settings import ConfigurationError
from tests.failover_receiver.publishing.driven import run
from tests.failover_receiver.publishing.recording import document, said
from tests.failover_receiver.publishing.taking import Taken, Taking, file, taking
from tests.lab.authority import Authority
from wgfleet.peerset import Monitoring

pytestmark = pytest.mark.anyio
KEY = b"k" * 32
SECRET = f"whsec_{base64.b64encode(KEY).decode()}\n"
BLIND = replace(said(2), monitoring=Monitoring.BLIND)


@pytest.fixture
def server() -> Iterator[Taking]:
    """Who is told."""
    with taking() as up:
        yield up


def place(directory: Path, url: str | None, **said: Any) -> Webhook:
    """A webhook's table, with a secret."""
    return Webhook(name="chat", url=url, secret_file=file(directory, "secret", SECRET), **said)


@asynccontextmanager
async def posting(of: Webhook, *, now: float = 1000.0) -> AsyncIterator[WebhookPublisher]:
    """A publisher that is closed in the end."""
    publisher = WebhookPublisher(of, clock=lambda: now)
    yield publisher
    await publisher.close()


def data(taken: Taken) -> dict[str, Any]:
    """What a notice says."""
    read: dict[str, Any] = json.loads(taken.body)["data"]
    return read


async def test_a_notice_is_posted_with_a_signature_that_verifies(tmp_path: Path, server: Taking) -> None:
    """Over its identity, its time and its bytes."""
    async with posting(place(tmp_path, f"{server.url}/hook?team=net")) as publisher:
        await publisher.publish(document(1), said(1))

    (taken,) = server.taken
    assert (taken.method, taken.path) == ("POST", "/hook?team=net")
    assert (taken.headers["webhook-id"], taken.headers["webhook-timestamp"]) == ("test-1-1", "1000")
    mac = hmac.new(KEY, b"test-1-1.1000." + taken.body, hashlib.sha256).digest()
    assert taken.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert data(taken)["etag"] == f'"{hashlib.sha256(document(1).body).hexdigest()}"'


async def test_what_says_nothing_new_is_not_posted(tmp_path: Path, server: Taking) -> None:
    """Every half hour a document is issued anew so that it stays fresh."""
    async with posting(place(tmp_path, server.url)) as publisher:
        await publisher.publish(document(1), said(1))
        await publisher.publish(document(2), said(2))
        await publisher.publish(document(3), replace(BLIND, generation=3))

    assert [data(taken)["generation"] for taken in server.taken] == [1, 3]


async def test_with_the_document_each_issue_is_posted(tmp_path: Path, server: Taking) -> None:
    """Whoever keeps it wants it fresh."""
    async with posting(place(tmp_path, server.url, document=True)) as publisher:
        await publisher.publish(document(1), said(1))
        await publisher.publish(document(2), said(2))

    assert [data(taken)["document"].encode() for taken in server.taken] == [
        document(1).body,
        document(2).body,
    ]


async def test_what_was_not_taken_is_told_with_the_next(tmp_path: Path, server: Taking) -> None:
    """Changes count from the notice that was taken last."""
    async with posting(place(tmp_path, server.url)) as publisher:
        await publisher.publish(document(1), said(1))
        server.status = 500
        with pytest.raises(PublishingError, match=r"^webhooks\.chat\.url: it answered 500$"):
            await publisher.publish(document(2), BLIND)
        server.status = 204
        await publisher.publish(document(3), replace(BLIND, generation=3))

    assert data(server.taken[-1])["since"] == {"epoch": 1, "generation": 1}


async def test_a_failure_is_tried_again_by_the_runner(
    tmp_path: Path, server: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the same identity."""
    monkeypatch.setattr(runner, "FIRST_WAIT_SECONDS", 0.01)
    server.status = 503
    async with run(WebhookPublisher(place(tmp_path, server.url))) as running:
        running.show(1)
        await running.until(lambda: len(server.taken) >= 2)
        server.status = 200
        await running.until(lambda: running.value("up", "webhook:chat") == 1)

    assert {taken.headers["webhook-id"] for taken in server.taken} == {"test-1-1"}


async def test_a_redirect_is_not_followed(tmp_path: Path, server: Taking) -> None:
    """Where notices go is the operator's to say."""
    server.status, server.headers = 307, {"Location": f"{server.url}/elsewhere"}

    async with posting(place(tmp_path, server.url)) as publisher:
        with pytest.raises(PublishingError, match="it answered 307"):
            await publisher.publish(document(1), said(1))

    assert len(server.taken) == 1


async def test_a_certificate_by_the_operators_authority_is_trusted(tmp_path: Path) -> None:
    """And one of another is not."""
    authority = Authority(tmp_path / "authority")
    with taking(authority) as server:
        async with posting(place(tmp_path, server.url, ca_file=authority.certificate_file)) as publisher:
            await publisher.publish(document(1), said(1))
        async with posting(place(tmp_path, server.url)) as publisher:
            with pytest.raises(PublishingError, match="certificate verify failed"):
                await publisher.publish(document(1), said(1))

    assert len(server.taken) == 1


async def test_a_url_may_be_a_secret_and_is_in_no_error(tmp_path: Path, server: Taking) -> None:
    """Chats' webhooks are reached by whoever knows their URL; it is read anew each time."""
    url_file = file(tmp_path, "url", f"{server.url}/hunter2\n")
    async with posting(place(tmp_path, None, url_file=url_file)) as publisher:
        await publisher.publish(document(1), said(1))
        server.status = 404
        with pytest.raises(PublishingError, match=r"webhooks\.chat\.url: it answered 404") as refused:
            await publisher.publish(document(2), BLIND)
        file(tmp_path, "url", "ftp://hunter2/\n")
        with pytest.raises(PublishingError, match=r"webhooks\.chat\.url_file: not a URL") as broken:
            await publisher.publish(document(2), BLIND)

    assert server.taken[0].path == "/hunter2"
    assert "hunter2" not in f"{refused.value}{broken.value}"


async def test_nobody_there_is_said_without_the_url(tmp_path: Path, server: Taking) -> None:
    """The key says which one it is."""
    server.server_close()

    async with posting(place(tmp_path, f"{server.url}/hunter2")) as publisher:
        with pytest.raises(PublishingError, match=r"webhooks\.chat\.url: nobody is there") as caught:
            await publisher.publish(document(1), said(1))

    assert "hunter2" not in str(caught.value)


async def test_a_faulty_secret_is_said_at_the_start(tmp_path: Path) -> None:
    """With the key, the file and how to make one; not with what is in it."""
    of = place(tmp_path, "http://127.0.0.1")
    file(tmp_path, "secret", "hunter2")

    with pytest.raises(
        ConfigurationError, match=r"^webhooks\.chat\.secret_file: .*/secret holds something"
    ) as caught:
        WebhookPublisher(of)

    assert "hunter2" not in str(caught.value)
