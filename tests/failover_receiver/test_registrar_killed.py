"""A receiver that is killed between a change and its list: nothing that was answered is lost."""

from pathlib import Path

import pytest

from tests.failover_receiver.running import Running
from tests.failover_receiver.story import spec
from wgfleet.clientlist import ClientList
from wgfleet.signing import Verifier

pytestmark = pytest.mark.anyio


async def test_what_was_answered_is_on_the_first_list_after_a_kill(tmp_path: Path) -> None:
    """Under the number that was said."""
    with Running(tmp_path / "receiver", client_pools=["10.99.0.0/16"]) as receiver:
        async with receiver.ask() as http:
            answers = [
                (
                    await http.put(
                        f"/v1/clients/c{number}", json={"public_key": spec(100 + number).public_key}
                    )
                ).json()
                for number in range(5)
            ]

        receiver.kill()
        receiver.start()

        async with receiver.ask() as http:
            after = (await http.get("/v1/client-list")).content
            key = (await http.get("/v1/signing-key")).json()["public_key"]
    said = ClientList.from_bytes(Verifier([key]).payload(after), fleet="test")
    assert [client.name for client in said.clients] == ["c0", "c1", "c2", "c3", "c4"]
    assert said.number == max((answer["epoch"], answer["generation"]) for answer in answers)
