"""Tests of failover_receiver/serve.py with a certificate: the same over TLS."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from failover_receiver.access import Role
from tests.certificates import Authority
from tests.failover_receiver.parts import LIMIT, bearer
from tests.failover_receiver.running import Running
from tests.failover_receiver.streams import add, following

pytestmark = pytest.mark.anyio


def certificate(directory: Path) -> ssl.SSLContext:
    """Have a key and a certificate for 127.0.0.1, by the authority in ca.pem; who trusts that one."""
    authority = Authority()
    (directory / "ca.pem").write_bytes(authority.certificate)
    authority.issue("127.0.0.1").write(directory, "tls")
    return authority.trusting()


async def test_it_serves_tls_with_the_certificate_of_the_configuration(tmp_path: Path) -> None:
    """And a client that does not trust it is not served."""
    trusting = certificate(tmp_path)
    with Running(
        tmp_path / "receiver", tls_certificate_file="../tls.pem", tls_key_file="../tls.key"
    ) as running:
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as http:
            answer = await http.get(f"{running.url}/livez")
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.get(f"{running.url}/livez")

    assert running.url.startswith("https://")
    assert answer.json() == {"status": "alive"}


async def test_streams_and_polls_go_over_tls_as_well(tmp_path: Path) -> None:
    """Snapshot, push, 304 and a clean end."""
    trusting = certificate(tmp_path)
    with Running(
        tmp_path / "receiver", tls_certificate_file="../tls.pem", tls_key_file="../tls.key"
    ) as running:
        headers = bearer(running.secret(Role.OPERATOR))
        async with httpx.AsyncClient(
            base_url=running.url, headers=headers, verify=trusting, timeout=LIMIT, trust_env=False
        ) as http:
            await add(http, "fra1")
            async with following(http) as stream:
                await stream.event()
                await add(http, "ams1", 2)
                pushed = await stream.event()
                plain = await http.get("/v1/peer-set")
                again = await http.get("/v1/peer-set", headers={"If-None-Match": plain.headers["etag"]})
                stopping = asyncio.get_running_loop().run_in_executor(None, running.stop)
                assert await stream.rest() == []
                assert await stopping == 0

    assert pushed["data"] == plain.text
    assert again.status_code == 304
