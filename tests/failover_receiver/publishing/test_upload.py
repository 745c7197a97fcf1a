"""Tests of failover_receiver/publishing/upload.py, against a real server."""

from pathlib import Path

import pytest

from failover_receiver.publishing import PublishingError
from failover_receiver.publishing.places import Upload
from failover_receiver.publishing.upload import UploadPublisher
from failover_receiver.settings import ConfigurationError
from tests.failover_receiver.publishing.recording import document, said
from tests.failover_receiver.publishing.taking import file, taking

pytestmark = pytest.mark.anyio


async def test_the_document_is_put_there_with_the_headers_of_a_file(tmp_path: Path) -> None:
    """Which is read each time: a token may be renewed."""
    headers = file(tmp_path, "headers", "Authorization: Bearer one\nCache-Control: max-age=5\n")
    with taking() as server:
        publisher = UploadPublisher(
            Upload(name="bucket", url=f"{server.url}/fleet/peer-set.jws", headers_file=headers)
        )
        await publisher.publish(document(1), said(1))
        headers.write_text("Authorization: Bearer two\n")
        await publisher.publish(document(2), said(2))
        await publisher.close()

    one, two = server.taken
    assert [(taken.method, taken.path) for taken in (one, two)] == [("PUT", "/fleet/peer-set.jws")] * 2
    assert [taken.body for taken in (one, two)] == [document(1).body, document(2).body]
    assert one.headers["content-type"] == "application/jose"
    assert one.headers["cache-control"] == "max-age=5"
    assert [taken.headers["authorization"] for taken in (one, two)] == ["Bearer one", "Bearer two"]


async def test_a_refusal_is_a_failure_without_url_or_headers(tmp_path: Path) -> None:
    """A URL that was signed has its signature in it."""
    with taking() as server:
        server.status = 403
        url = file(tmp_path, "url", f"{server.url}/peer-set?X-Amz-Signature=hunter2")
        headers = file(tmp_path, "headers", "X-Key: hunter3")
        publisher = UploadPublisher(Upload(name="bucket", url_file=url, headers_file=headers))

        with pytest.raises(PublishingError) as caught:
            await publisher.publish(document(1), said(1))
        await publisher.close()

    assert str(caught.value) == "uploads.bucket.url: it answered 403"
    assert server.taken[0].path.endswith("hunter2")


async def test_a_file_without_headers_is_said_at_the_start(tmp_path: Path) -> None:
    """And not repeated: it may be a bare token."""
    headers = file(tmp_path, "headers", "hunter2")

    with pytest.raises(ConfigurationError, match=r"^uploads\.bucket\.headers_file: .* one a line") as caught:
        UploadPublisher(Upload(name="bucket", url="http://127.0.0.1", headers_file=headers))

    assert "hunter2" not in str(caught.value)
