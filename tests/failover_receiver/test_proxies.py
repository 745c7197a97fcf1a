"""Tests of `trusted_proxies`: who is taken for the sender, with a proxy before the receiver and without."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.limits import BURST
from tests.failover_receiver.parts import bearer
from tests.failover_receiver.running import Running


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Behind a proxy on this host, and a second one before that."""
    folder = tmp_path_factory.mktemp("trusting") / "receiver"
    with Running(folder, trusted_proxies=["127.0.0.1", "10.0.0.0/24"]) as process:
        yield process


def ask(
    running: Running, forwarded_for: str, *, path: str = "/health", token: str = "wrong", proto: str = "http"
) -> httpx.Response:
    """As a proxy passes it on."""
    headers = {**bearer(token), "X-Forwarded-For": forwarded_for, "X-Forwarded-Proto": proto}
    with httpx.Client(base_url=running.url, trust_env=False) as http:
        return http.get(path, headers=headers)


@pytest.mark.parametrize("path", ["/health", "/v1/peer-set"])
def test_the_last_address_that_no_proxy_has_counts(trusting: Running, path: str) -> None:
    """What stands before it is the sender's own invention: changing it gives nobody another try."""
    sender = f"198.51.100.{len(path)}"

    statuses = [
        ask(trusting, f"203.0.113.{number}, {sender}, 10.0.0.7", path=path).status_code
        for number in range(BURST)
    ]
    limited = ask(trusting, f"203.0.113.99, {sender}", path=path)
    other = ask(trusting, "198.51.100.200", path=path)

    assert statuses == [401] * BURST
    assert limited.status_code == 429
    assert f"too many wrong tokens from {sender}:" in limited.json()["error"]
    assert other.status_code == 401


def test_a_proxy_with_tls_is_believed(trusting: Running) -> None:
    """Browsers are told, and the page's cookie is for TLS only."""
    over_tls = ask(trusting, "198.51.100.1", path="/livez", proto="https")
    token = trusting.secret(Role.OPERATOR)
    with httpx.Client(base_url=trusting.url, trust_env=False) as http:
        signed = http.post("/sign-in", data={"token": token}, headers={"X-Forwarded-Proto": "https"})

    assert over_tls.headers["strict-transport-security"] == "max-age=2592000"
    assert signed.headers["set-cookie"].startswith("__Host-wgfleet=")
    assert "; Secure" in signed.headers["set-cookie"]


def test_without_a_trusted_proxy_nobody_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on loopback nor by a variable of the environment."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    with Running(tmp_path / "receiver") as running:
        for number in range(BURST):
            ask(running, f"203.0.113.{number}")
        limited = ask(running, "203.0.113.99", proto="https")

    assert limited.status_code == 429
    assert "too many wrong tokens from 127.0.0.1:" in limited.json()["error"]
    assert "strict-transport-security" not in limited.headers
