"""A vantage on another host: its blackbox exporter answers by client certificate, and each Prometheus asks it so."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.programs import program
from tests.deploy.promtools import GENERATIONS, promtool
from tests.lab.authority import Authority
from tests.lab.waiting import wait_until
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.probing import Probing, parse_duration
from wgfleet.cli.settings import Settings

LIMIT = 60.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Vantage:
    """A blackbox exporter that listens as for other hosts."""

    url: str
    settings: Settings


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listening:
        return int(listening.getsockname()[1])


def answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    try:
        return httpx.get(url, verify=context or True, trust_env=False).status_code == HTTPStatus.OK
    except httpx.TransportError:
        return False


@contextmanager
def running(name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([name, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            yield daemon
        finally:
            daemon.kill()


@pytest.fixture
def vantage(tmp_path: Path) -> Iterator[Vantage]:
    """One with the rendered files, asked by whoever has its authority's certificate."""
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.sign("far", LOOPBACK)
    address = f"{LOOPBACK}:{free_port()}"
    settings = Settings(
        Probing(parse_duration("1s"), parse_duration("500ms")),
        vantages=(f"main={LOOPBACK}:{free_port()}", f"far=https://{address}"),
        canaries=(f"far={LOOPBACK}",),
        vantage_ca_file=str(authority.certificate_file),
        vantage_cert_file=str(certificate),
        vantage_key_file=str(key),
    )
    for kind in Kind:
        (tmp_path / kind.file_name).write_text(rendered(kind, settings))
    with running(
        program("prometheus-blackbox-exporter"),
        f"--config.file={tmp_path / 'blackbox.yml'}",
        f"--web.config.file={tmp_path / 'blackbox-web.yml'}",
        f"--web.listen-address={address}",
    ):
        yield Vantage(f"https://{address}", settings)


def context_of(settings: Settings, *, certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.vantage_ca_file)
    if certificate:
        context.load_cert_chain(settings.vantage_cert_file, settings.vantage_key_file)
    return context


def test_a_stranger_is_refused(vantage: Vantage) -> None:
    """
    The vantage answers who has a certificate of its authority, and nobody else.
    """
    known = context_of(vantage.settings, certificate=True)
    wait_until(lambda: answers(f"{vantage.url}/metrics", known), LIMIT, "blackbox to answer who is known")

    assert not answers(f"{vantage.url}/metrics", context_of(vantage.settings, certificate=False))


def targets(prometheus: str) -> list[dict[str, Any]]:
    try:
        answer = httpx.get(f"{prometheus}/api/v1/targets", trust_env=False)
        return list(answer.json()["data"]["activeTargets"]) if answer.is_success else []  # It starts.
    except httpx.TransportError:
        return []


@pytest.mark.parametrize("generation", GENERATIONS)
def test_prometheus_asks_it(vantage: Vantage, generation: int, tmp_path: Path) -> None:
    """
    Prometheus of either generation asks it by its certificate, and its probes bear the job that the rules know.
    """
    name = Path(promtool(generation)).with_name("prometheus")
    address = f"{LOOPBACK}:{free_port()}"
    wanted = [
        {"job": "wgfleet-blackbox", "vantage": "far", "instance": vantage.url.removeprefix("https://")},
        {"job": "wgfleet-canary", "vantage": "far", "instance": LOOPBACK, "canary": LOOPBACK},
    ]

    def healthy() -> bool:
        labels = [one["labels"] for one in targets(f"http://{address}") if one["health"] == "up"]
        return all(one in labels for one in wanted)

    with ExitStack() as stack:
        stack.enter_context(
            running(
                str(name),
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address={address}",
            )
        )
        wait_until(healthy, LIMIT, f"{wanted} to be up")
