"""What is answered to a request: the page at `/metrics`, and at `/` a word on where it is."""

from collections.abc import Callable, Iterable
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client.core import Metric
from prometheus_client.exposition import gzip_accepted

from exporter.collector import Scrape
from exporter.packing import Packer
from exporter.page import written

UNHURRIED_SECONDS = 5.0
"""For whoever does not say how long they wait, as a person with curl."""
MOST_ROOM_SECONDS = 0.2
"""Of the scrape's timeout, for the page to be written and to come: at most so much, and a fifth of it."""

INDEX = b"""<!doctype html>
<title>wgfleet-exporter</title>
<h1>wgfleet-exporter</h1>
<p><a href="/metrics">Metrics</a> of this machine's WireGuard interfaces, for Prometheus.</p>
"""


def application(scrape: Callable[[float], Scrape], others: Callable[[], Iterable[Metric]]) -> WSGIApplication:
    """The two pages, and nothing else.

    `scrape` reads everything within so many seconds, `others` gives metrics that need no reading of WireGuard's.
    """
    packed = Packer()

    def metrics(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        wanted = frozenset(parse_qs(environ.get("QUERY_STRING", "")).get("name[]", ()))
        within = seconds_left(environ.get("HTTP_X_PROMETHEUS_SCRAPE_TIMEOUT_SECONDS", ""))
        page, content_type = written(
            scrape(within), others(), accept=environ.get("HTTP_ACCEPT", ""), wanted=wanted
        )
        headers = [("Content-Type", content_type), ("Vary", "Accept, Accept-Encoding")]
        if gzip_accepted(environ.get("HTTP_ACCEPT_ENCODING", "")):
            headers.append(("Content-Encoding", "gzip"))
            page = [packed(page)]
        start_response("200 OK", headers)
        return page

    def route(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics(environ, start_response)
        if environ["PATH_INFO"] == "/":
            start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [INDEX]
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Not here: the metrics are at /metrics\n"]

    return route


def seconds_left(header: str) -> float:
    """How long a reading may take, by what Prometheus says of its timeout."""
    try:
        timeout = float(header)
    except ValueError:
        return UNHURRIED_SECONDS
    if not 0 < timeout < float("inf"):
        return UNHURRIED_SECONDS
    return timeout - min(MOST_ROOM_SECONDS, timeout / 5)
