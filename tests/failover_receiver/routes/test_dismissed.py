"""Tests of what becomes of a removed worker's token and bundles."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failover_receiver.parts import BODY, Parts, build
from tests.failover_receiver.routes.joining import ask, itself, make, use
from tests.failover_receiver.story import spec

pytestmark = pytest.mark.anyio
OTHER = spec(102).public_key
WORKER = {key: value for key, value in BODY.items() if key != "public_key"}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A receiver."""
    wired = build(tmp_path)
    yield wired
    wired.close()


async def test_a_worker_that_was_removed_is_let_in_no_more(parts: Parts) -> None:
    """Its token would still show it every client; the name is free for another machine."""
    await parts.serve("ams1", "lon1")
    addressed = {**WORKER, "tunnel_addresses": ["10.99.0.9"]}
    token = (await use(parts, await make(parts, "fra1", "worker", worker=addressed))).json()["token"]
    before = (await itself(parts, token)).status_code
    open_bundle = await make(parts, "fra1", "worker", again=True)

    await ask(parts, "DELETE", "/v1/workers/fra1")

    assert (before, (await itself(parts, token)).status_code) == (200, 401)
    assert (await use(parts, open_bundle)).status_code == 401
    assert [event.what for event in parts.store.events(3)][:2] == ["enrolment cancelled", "token revoked"]
    again = await make(parts, "fra1", "worker", worker=addressed)
    assert (await use(parts, again, OTHER)).status_code == 200
