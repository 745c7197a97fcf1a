"""Tests of monitoring hosts that join by a bundle: to workers they are clients, to the receiver vantages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failover_receiver.parts import Parts, bearer, build
from tests.failover_receiver.routes.joining import KEY, ask, make, refusal, use

pytestmark = pytest.mark.anyio


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A receiver that gives addresses."""
    wired = build(tmp_path, client_pools=["10.99.0.0/16"])
    yield wired
    wired.close()


async def test_a_vantage_joins_as_a_peer_of_every_worker_and_as_no_client(parts: Parts) -> None:
    """Its key and address are on the client list, for workers; its token follows the peer set and acks nothing."""
    await parts.serve("ams1", "fra1")
    bundle = await make(parts, "mon1", "vantage", addresses=["10.99.0.250"])

    said = (await use(parts, bundle)).json()

    assert (bundle.role, said["role"], said["tunnel_addresses"]) == ("vantage", "vantage", ["10.99.0.250"])
    assert parts.receiver.registrar.roll.clients["mon1"].public_key == KEY
    async with parts.ask(None) as http:
        peer_set = await http.get("/v1/peer-set", headers=bearer(said["token"]))
        ack = await http.post("/v1/acks", headers=bearer(said["token"]), json={})
    assert (peer_set.status_code, ack.status_code) == (200, 403)


async def test_a_monitoring_host_that_is_registered_already_enrols_again_with_its_key(parts: Parts) -> None:
    """Nothing changes for workers; it has a token of the right role then, and can be changed and revoked as any client."""
    body = {"public_key": KEY, "addresses": ["10.99.0.250"]}
    assert (await ask(parts, "PUT", "/v1/clients/mon1", body)).status_code == 200
    before = parts.receiver.registrar.number

    said = (await use(parts, await make(parts, "mon1", "vantage", again=True))).json()

    assert (said["role"], parts.receiver.registrar.number) == ("vantage", before)
    moved = await ask(parts, "PUT", "/v1/clients/mon1", {**body, "addresses": ["10.99.0.251"]})
    assert moved.status_code == 200
    await ask(parts, "DELETE", "/v1/clients/mon1")
    assert "mon1" not in {token.name for token in parts.store.tokens.all()}


async def test_a_client_does_not_become_a_vantage_by_a_bundle(parts: Parts) -> None:
    """Nor the other way round: its daemon is another one's."""
    await use(parts, await make(parts, "ann"))

    status, why = await refusal(parts, name="ann", role="vantage", again=True)

    assert (status, "is that of a token with the role client: choose another" in why) == (409, True)
