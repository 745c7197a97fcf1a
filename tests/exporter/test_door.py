"""Tests of exporter/door.py: the files, the server and its readers together; one reader is a real Prometheus."""

import base64
import http.client
import json
import logging
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import bcrypt
import pytest
import yaml

from exporter.access import guarded
from exporter.door import open_door
from exporter.fields import WebConfigError
from exporter.server import serving
from tests.certificates import Authority
from tests.deploy.programs import program
from tests.lab.launch import Launcher
from tests.lab.process import Process
from tests.lab.waiting import wait_until
from wgfleet.logs import configure

TOKEN = "a-token-that-nobody-else-knows"
PASSWORD = "a-password-that-nobody-else-knows"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
OURS = Authority()
READER = OURS.issue("prometheus.example")

CONFIG = f"""\
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example]
basic_auth_users:
  alice: {HASH}
"""


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The page."""
    start_response("200 OK", [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")])
    return [b"answer 42\n"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an operator would write."""
    OURS.issue("127.0.0.1").write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(OURS.certificate)
    (tmp_path / "web.yml").write_text(CONFIG)
    (tmp_path / "token").write_text(TOKEN + "\n")
    return tmp_path


@contextmanager
def exporter(config_file: Path | None = None, token_file: Path | None = None) -> Iterator[int]:
    """One that serves; its port."""
    door = open_door(config_file, token_file)
    with serving(guarded(app, door.access), "127.0.0.1", 0, tls=door.tls) as url:
        yield int(url.rstrip("/").rpartition(":")[2])


def status(port: int, trusting: ssl.SSLContext | None = None, *, password: str = "", token: str = "") -> int:
    """What a reader is answered."""
    headers = {}
    if password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=trusting)
        if trusting
        else http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    )
    try:
        connection.request("GET", "/metrics", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_without_files_everybody_may_read() -> None:
    """In plain HTTP."""
    with exporter() as port:
        assert status(port) == 200


def test_certificate_name_and_password_or_token_are_all_needed(folder: Path) -> None:
    """Each one that is missing is refused in its own way."""
    reader, other = OURS.trusting(folder, READER), OURS.trusting(folder, OURS.issue("other.example"))
    with exporter(folder / "web.yml", folder / "token") as port:
        answers = [
            status(port, reader, password=PASSWORD),
            status(port, reader, token=TOKEN),
            status(port, reader, password="wrong"),
            status(port, reader),
            status(port, other, password=PASSWORD),
        ]
        with pytest.raises(ssl.SSLError, match="certificate required"):
            status(port, OURS.trusting(folder), password=PASSWORD)

    assert answers == [200, 200, 401, 401, 403]


def test_new_users_tokens_and_certificates_count_at_once(folder: Path) -> None:
    """Without a restart, from the next request on."""
    other = Authority("Other")
    with exporter(folder / "web.yml", folder / "token") as port:
        assert status(port, OURS.trusting(folder, READER), token=TOKEN) == 200

        other.issue("127.0.0.1").write(folder, "server")
        renewed = other.trusting(folder, READER)
        assert status(port, renewed, password=PASSWORD) == 200

        (folder / "token").write_text("another-token")
        assert status(port, renewed, token=TOKEN) == 401
        assert status(port, renewed, token="another-token") == 200

        (folder / "web.yml").write_text(CONFIG.replace("alice", "bob"))
        assert status(port, renewed, password=PASSWORD) == 401


def test_half_a_renewal_keeps_the_old_certificate(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Between the writing of certificate and key the two do not fit; the log says so once."""
    reader = OURS.trusting(folder, READER)
    renewed = OURS.issue("127.0.0.1")
    with exporter(folder / "web.yml") as port:
        (folder / "server.pem").write_bytes(renewed.certificate)
        answers = [status(port, reader, password=PASSWORD) for _ in range(3)]
        (folder / "server.key").write_bytes(renewed.key)
        status(port, reader, password=PASSWORD)

    assert answers == [200, 200, 200]
    assert caplog.messages == ["web config is wrong, the old one is kept"]
    assert caplog.records[0].__dict__["facts"]["why"] == (
        f"{folder}/web.yml: tls_server_config.key: is not the certificate's own: the key that was made with it was expected"
    )


LESS = [
    ("", "TLS and no basic_auth_users and no client_allowed_sans and no required client certificates"),
    (CONFIG.partition("basic_auth_users")[0], "basic_auth_users"),
    (CONFIG.replace("  client_allowed_sans: [prometheus.example]\n", ""), "client_allowed_sans"),
    (CONFIG.replace("RequireAndVerify", "Verify").replace("ClientCert", "ClientCertIfGiven")
     .replace("  client_allowed_sans: [prometheus.example]\n", ""),
     "client_allowed_sans and no required client certificates"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "gone"), LESS)
def test_a_lock_that_vanishes_from_the_file_stays(
    folder: Path, caplog: pytest.LogCaptureFixture, text: str, gone: str
) -> None:
    """An editor may empty the file for a moment; nobody must get in by that."""
    reader = OURS.trusting(folder, READER)
    with exporter(folder / "web.yml") as port:
        (folder / "web.yml").write_text(text)

        assert status(port, reader) == 401

    why = caplog.records[0].__dict__["facts"]["why"]
    assert why == f"it has no {gone} any more; restart the exporter if that is meant"


def test_tls_begins_with_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The port cannot speak both; the log says what to do."""
    (tmp_path / "web.yml").write_text("")
    OURS.issue("127.0.0.1").write(tmp_path, "server")
    with exporter(tmp_path / "web.yml") as port:
        (tmp_path / "web.yml").write_text(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
        )

        assert status(port) == 200

    why = caplog.records[0].__dict__["facts"]["why"]
    assert why == "it has TLS now; restart the exporter to begin with it"


def test_a_token_that_is_broken_later_keeps_the_old_one(folder: Path) -> None:
    """An empty file is no token, and opens nothing."""
    with exporter(token_file=folder / "token") as port:
        (folder / "token").write_text("")
        assert [status(port), status(port, token=TOKEN)] == [401, 200]

        (folder / "token").unlink()
        assert [status(port), status(port, token=TOKEN)] == [401, 200]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there: it should hold the token"),
        (b"\n", "is empty: it should hold the token"),
        (b"two words\n", "should hold one token and nothing else: ASCII without spaces"),
        ("schlüssel".encode(), "should hold one token and nothing else: ASCII without spaces"),
        (b"\xff", "should hold one token and nothing else: ASCII without spaces"),
    ],
)
def test_a_file_without_a_token_is_refused_at_the_start(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    """By its name, and without what is in it."""
    if content is not None:
        (tmp_path / "token").write_bytes(content)

    with pytest.raises(WebConfigError) as caught:
        open_door(token_file=tmp_path / "token")

    assert str(caught.value) == f"{tmp_path}/token {said}"


def test_a_wrong_config_is_refused_at_the_start(folder: Path) -> None:
    """With the file in front."""
    (folder / "server.key").write_bytes(READER.encrypted_key())

    with pytest.raises(WebConfigError) as caught:
        open_door(folder / "web.yml")

    assert str(caught.value) == (
        f"{folder}/web.yml: tls_server_config.key: is encrypted: one without a passphrase was expected"
    )


def test_no_secret_is_ever_logged(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """At the most talkative, over good and bad requests, good and broken files."""
    configure("json", "DEBUG")
    key = (folder / "server.key").read_text().splitlines()[1]
    reader = OURS.trusting(folder, READER)
    breaks: list[Callable[[], object]] = [
        lambda: (folder / "web.yml").write_text(CONFIG + f"  bob: {PASSWORD}\n"),
        lambda: (folder / "web.yml").write_text(CONFIG + f" bob: {HASH}\n"),
        lambda: (folder / "web.yml").write_text(CONFIG.replace("key_file: server.key", f"key: {key}")),
        lambda: (folder / "web.yml").write_text(CONFIG.replace("server.key", f'"-----BEGIN\\n{key}"')),
        lambda: (folder / "web.yml").write_text(CONFIG),
        lambda: (folder / "server.key").write_text(key),
        lambda: (folder / "token").write_text(f"{TOKEN} {TOKEN}"),
    ]
    try:
        with exporter(folder / "web.yml", folder / "token") as port:
            for break_it in breaks:
                break_it()
                status(port, reader, password=PASSWORD)
                status(port, reader, token=TOKEN)
                status(port, reader, password=TOKEN)
                status(port, reader, token=PASSWORD)
    finally:
        logging.getLogger().handlers.clear()
        logging.getLogger().setLevel(logging.WARNING)

    said = capfd.readouterr().err
    assert said.count("the old one is kept") == 6
    assert not [secret for secret in (TOKEN, PASSWORD, HASH, HASH[8:], key) if secret in said]


def free_port() -> int:
    """A port that is free, most probably also a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def jobs(folder: Path, port: int) -> list[dict[str, Any]]:
    """Ways in which Prometheus may ask, right and wrong ones."""
    tls: dict[str, Any] = {"ca_file": str(folder / "ca.pem")}
    known = {**tls, "cert_file": str(folder / "reader.pem"), "key_file": str(folder / "reader.key")}
    ways: dict[str, dict[str, Any]] = {
        "password": {"tls_config": known, "basic_auth": {"username": "alice", "password": PASSWORD}},
        "token": {"tls_config": known, "authorization": {"credentials_file": str(folder / "token")}},
        "wrong-password": {"tls_config": known, "basic_auth": {"username": "alice", "password": "x"}},
        "no-certificate": {"tls_config": tls, "basic_auth": {"username": "alice", "password": PASSWORD}},
        "plain": {"scheme": "http"},
    }
    target = {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    return [{"job_name": name, "scheme": "https", **target, **way} for name, way in ways.items()]


def targets(port: int) -> dict[str, tuple[str, str]]:
    """Each job's health and last error, once all have been asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/api/v1/targets?state=active")
    found = json.load(connection.getresponse())["data"]["activeTargets"]
    connection.close()
    seen = {target["labels"]["job"]: (target["health"], target["lastError"]) for target in found}
    return seen if seen and "unknown" not in {health for health, _ in seen.values()} else {}


def test_prometheus_reads_with_certificate_and_password_or_token(folder: Path) -> None:
    """And shows why where it may not."""
    binary, port = program("prometheus"), free_port()
    READER.write(folder, "reader")
    with exporter(folder / "web.yml", folder / "token") as exporting, Launcher() as launcher:
        scrape = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        file = launcher.directory / "prometheus.yml"
        file.write_text(yaml.safe_dump({"global": scrape, "scrape_configs": jobs(folder, exporting)}))
        command = [
            *(binary, f"--config.file={file}", f"--storage.tsdb.path={launcher.directory}/tsdb"),
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        Process(launcher, "prometheus", command, ready="Server is ready", timeout=60).start()

        seen = wait_until(lambda: targets(port), 60, "Prometheus to have asked in every way")

    assert seen["password"] == ("up", "")
    assert seen["token"] == ("up", "")
    assert seen["wrong-password"] == ("down", "server returned HTTP status 401 Unauthorized")
    assert seen["no-certificate"][1].endswith("remote error: tls: certificate required")
    assert seen["plain"] == ("down", "server returned HTTP status 400 Bad Request")
