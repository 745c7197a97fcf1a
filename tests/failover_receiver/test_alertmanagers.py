"""Tests of failover_receiver/alertmanagers.py, against servers that ask for what it shows."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver import alertmanagers
from failover_receiver.settings import ConfigurationError, Settings
from tests.failover_receiver.alertmanager import Recorded, listed, reader, recorded
from tests.failover_receiver.parts import NOON, Parts, rfc3339
from tests.lab.authority import Authority

pytestmark = pytest.mark.anyio
UP = {"alertname": "WireGuardWorkerUp", "worker": "fra1", "action": "admit"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One of our own."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def strict(authority: Authority) -> Iterator[Recorded]:
    """An Alertmanager that speaks TLS only, and only with those who have a certificate of the same authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate_file))
    context.load_cert_chain(*authority.sign("alertmanager", "127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    with recorded() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server


def said(**keys: Any) -> Settings:
    """A configuration with these keys."""
    return Settings(fleet="test", store=Path("receiver.db"), signing_key_file=Path("key"), **keys)


async def test_an_alertmanager_behind_tls_and_a_token_is_read(
    parts: Parts, strict: Recorded, authority: Authority, tmp_path: Path
) -> None:
    """Own authority, client certificate, bearer token."""
    await parts.serve("fra1")
    certificate, key = authority.sign("receiver", "127.0.0.1")
    (tmp_path / "token").write_text("open-sesame\n")
    strict.holds(listed(UP, started=rfc3339(NOON), updated=rfc3339(NOON)))
    settings = said(
        alertmanager_ca_file=authority.certificate_file, alertmanager_cert_file=certificate,
        alertmanager_key_file=key, alertmanager_token_file=tmp_path / "token",
    )  # fmt: skip

    async with alertmanagers.client(settings) as http:
        await reader(parts, http, strict.url.replace("http:", "https:")).once()

    assert "/".join(UP.values()) in parts.state.alerts
    assert strict.shown == ["Bearer open-sesame"]


async def test_a_server_of_another_authority_is_not_believed(
    parts: Parts, strict: Recorded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent to it, and the log says why."""
    other = Authority(tmp_path / "other")
    certificate, key = other.sign("receiver", "127.0.0.1")
    settings = said(
        alertmanager_ca_file=other.certificate_file,
        alertmanager_cert_file=certificate,
        alertmanager_key_file=key,
    )

    async with alertmanagers.client(settings) as http:
        await reader(parts, http, strict.url.replace("http:", "https:")).once()

    assert strict.asked == []
    (record,) = [one for one in caplog.records if one.getMessage() == "alertmanager not readable"]
    assert "CERTIFICATE_VERIFY_FAILED" in str(vars(record)["facts"]["error"])


async def test_the_token_goes_to_alertmanagers_alone(tmp_path: Path) -> None:
    """A client without the settings shows nothing."""
    (tmp_path / "token").write_text("open-sesame")

    async with alertmanagers.client(said(alertmanager_token_file=tmp_path / "token")) as http:
        assert http.headers["authorization"] == "Bearer open-sesame"
    async with alertmanagers.client(said()) as http:
        assert "authorization" not in http.headers


def test_every_file_that_cannot_be_used_is_named(authority: Authority, tmp_path: Path) -> None:
    """With its key, what is wrong with it, and nothing of what it holds."""
    certificate, key = authority.sign("receiver", "127.0.0.1")
    other_key = authority.sign("other", "127.0.0.1")[1]
    rubbish, nowhere = tmp_path / "rubbish", tmp_path / "nowhere"
    rubbish.write_text("two words")
    there = "No such file or directory; is it there, and this user's to read?"
    pair = "are not a certificate and its key, in PEM and without a password"
    faults: list[tuple[dict[str, Path], str]] = [
        ({"ca_file": nowhere}, f"alertmanager_ca_file: {nowhere} cannot be read: {there}"),
        ({"ca_file": rubbish}, f"alertmanager_ca_file: {rubbish} does not hold a certificate in PEM"),
        (
            {"cert_file": certificate},
            "alertmanager_key_file: is missing: a client certificate is a certificate and its key",
        ),
        (
            {"key_file": key},
            "alertmanager_cert_file: is missing: a client certificate is a certificate and its key",
        ),
        (
            {"cert_file": nowhere, "key_file": key},
            f"alertmanager_cert_file: {nowhere} cannot be read: {there}",
        ),
        (
            {"cert_file": certificate, "key_file": other_key},
            f"alertmanager_cert_file, alertmanager_key_file: {certificate} and {other_key} {pair}",
        ),
        (
            {"token_file": nowhere},
            f"alertmanager_token_file: {nowhere} is not there: it should hold the token",
        ),
        (
            {"token_file": rubbish},
            f"alertmanager_token_file: {rubbish} holds more than one word: only the token is wanted",
        ),
    ]

    for keys, error in faults:
        with pytest.raises(ConfigurationError) as caught:
            alertmanagers.client(said(**{f"alertmanager_{name}": file for name, file in keys.items()}))
        assert str(caught.value) == error


async def test_a_plain_client_is_as_before() -> None:
    """Without settings: the system's authorities, no proxy of the environment."""
    async with alertmanagers.client(said()) as http:
        assert isinstance(http, httpx.AsyncClient)
        assert http.trust_env is False
