"""Followers over TLS, of a receiver with processes beside it."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from tests.failover_receiver.following.edges import Follower, until
from tests.failover_receiver.parts import LIMIT, bearer
from tests.failover_receiver.running import Running
from tests.failover_receiver.streams import add, following
from tests.failover_receiver.test_serve_tls import certificate

pytestmark = pytest.mark.anyio

FILES: dict[str, Any] = {"tls_certificate_file": "../tls.pem", "tls_key_file": "../tls.key"}


async def test_all_the_way_is_tls(tmp_path: Path) -> None:
    """Whoever trusts the certificate follows and is followed; a follower that does not says why."""
    trusting = certificate(tmp_path)
    with Running(tmp_path / "receiver", processes=2, **FILES) as receiver:
        headers = bearer(receiver.secret(Role.OPERATOR))
        async with httpx.AsyncClient(
            base_url=receiver.url, headers=headers, verify=trusting, timeout=LIMIT, trust_env=False
        ) as operator:
            await add(operator, "fra1")
            follower = Follower(tmp_path / "follower", receiver, ca_file="../ca.pem", processes=2, **FILES)
            await follower.let_in(operator)
            wary = Follower(tmp_path / "wary", receiver)
            await wary.let_in(operator)
            with follower, wary:
                why = wary.wait_for("receiver lost")["error"]
                async with httpx.AsyncClient(
                    base_url=follower.url, headers=headers, verify=trusting, timeout=LIMIT, trust_env=False
                ) as http:
                    await until(http, "/readyz", lambda said: said["status"] == "live")
                    async with following(http) as stream:
                        number = (await stream.event())["id"]

    assert number == "1.2"
    assert "CERTIFICATE_VERIFY_FAILED" in why
