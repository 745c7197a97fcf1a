"""Tests of exporter/app.py: what is answered to which request."""

import gzip
from collections.abc import Iterable

import pytest
from prometheus_client.core import Metric

from exporter.app import UNHURRIED_SECONDS, application, seconds_left
from exporter.collector import Scrape
from exporter.metrics import PEER_RECEIVE_BYTES, WORKER_CPUS, Sample

LINE = 'wireguard_peer_receive_bytes_total{interface="wg0",public_key="k"} 1\n'
SCRAPE = Scrape([Sample(WORKER_CPUS, (), 2)], {PEER_RECEIVE_BYTES: [LINE.encode()]})


def ask(path: str = "/metrics", query: str = "", **headers: str) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body of the answer."""
    answer: list[tuple[str, dict[str, str]]] = []

    def start(status: str, said: list[tuple[str, str]], _: object = None) -> object:
        answer.append((status, dict(said)))
        return lambda _: None

    def others() -> Iterable[Metric]:
        return ()

    environ = {"PATH_INFO": path, "QUERY_STRING": query} | {
        f"HTTP_{key.upper()}": value for key, value in headers.items()
    }
    body = b"".join(application(lambda _: SCRAPE, others)(environ, start))  # type: ignore[arg-type] # A plainer start.
    return *answer[0], body


PAGE = f"""\
# HELP wireguard_worker_cpus CPUs that are online.
# TYPE wireguard_worker_cpus gauge
wireguard_worker_cpus 2.0
# HELP wireguard_peer_receive_bytes_total Bytes received from the peer.
# TYPE wireguard_peer_receive_bytes_total counter
{LINE}"""


def test_the_page_is_text_for_whoever_asks_for_nothing_else() -> None:
    """Single peers' lines after all others."""
    status, headers, body = ask()

    assert status == "200 OK"
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert body.decode() == PAGE


def test_prometheus_gets_openmetrics() -> None:
    """Where a counter is called without its `_total`, and the page says that it is whole."""
    _, headers, body = ask(accept="application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1")

    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.decode() == PAGE.replace("bytes_total Bytes", "bytes Bytes").replace(
        "bytes_total counter", "bytes counter"
    ) + ("# EOF\n")


def test_the_page_is_compressed_for_whoever_can_read_it() -> None:
    """And is the same."""
    _, headers, body = ask(accept_encoding="gzip")

    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).decode() == PAGE


@pytest.mark.parametrize("encoding", ["", "deflate", "identity"])
def test_others_get_it_plain(encoding: str) -> None:
    """Whatever else they can read."""
    _, headers, body = ask(accept_encoding=encoding)

    assert "Content-Encoding" not in headers
    assert body.decode() == PAGE


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name[]=wireguard_worker_cpus", PAGE[: PAGE.index("# HELP wireguard_peer")]),
        ("name[]=wireguard_peer_receive_bytes_total", PAGE[PAGE.index("# HELP wireguard_peer") :]),
        ("name[]=nothing", ""),
    ],
)
def test_a_part_can_be_asked_for_by_name(query: str, expected: str) -> None:
    """As of every exporter; single peers' too."""
    assert ask(query=query)[2].decode() == expected


def test_the_page_is_found_from_the_root_and_nothing_else_is_there() -> None:
    """With a word on where it is."""
    assert b'href="/metrics"' in ask("/")[2]
    status, _, body = ask("/metric")
    assert (status, body) == ("404 Not Found", b"Not here: the metrics are at /metrics\n")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0.5", 0.4), ("10", 9.8), ("", UNHURRIED_SECONDS), ("x", UNHURRIED_SECONDS), ("-1", UNHURRIED_SECONDS),
     ("nan", UNHURRIED_SECONDS), ("inf", UNHURRIED_SECONDS)],
)  # fmt: skip
def test_readings_end_before_prometheus_gives_up(header: str, seconds: float) -> None:
    """A page that comes too late has nothing at all to say."""
    assert seconds_left(header) == pytest.approx(seconds)
