"""`wgfleet-exporter`: serves the metrics of this worker until it is told to stop."""

import argparse
import importlib.metadata
import json
import logging
import platform
import signal
import sys
import time
from collections.abc import Iterator

from wgfleet import __version__, logs

try:
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.core import Metric

    from exporter import memory
    from exporter.access import guarded
    from exporter.app import application
    from exporter.collector import Collectors, Scrape
    from exporter.door import open_door
    from exporter.fields import WebConfigError
    from exporter.flags import parse
    from exporter.metrics import ACTIVE_MAX_AGE, BUILD_INFO, Sample
    from exporter.netns import NetnsError, enter
    from exporter.samples import ACTIVE_SECONDS
    from exporter.server import ListenError, serving
    from exporter.sources import sources
except ModuleNotFoundError as missing:
    # The command is installed with every daemon, its packages only on workers.
    sys.exit(
        f"wgfleet-exporter: the package {missing.name} is not installed here: on a worker, "
        "`pip install --require-hashes -r requirements/exporter.txt`"
    )

LOGGER = logging.getLogger("exporter")

STOP = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Run the command; return its exit code: 0 told to stop, 1 it failed, 2 it was asked or configured wrongly."""
    arguments = parse()
    logs.configure(arguments.log_format)
    memory.keep()
    # Before there are threads, which inherit it: a signal then waits for sigwait, whenever it comes.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    # Who reloads Prometheus reloads its exporters, too; files are read again by themselves here.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _serve(arguments)
    except (ListenError, NetnsError, WebConfigError) as error:
        print(f"wgfleet-exporter: {error}", file=sys.stderr)
        return 2 if isinstance(error, WebConfigError) else 1  # systemd starts it again after a 1.
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    door = open_door(arguments.web_config, arguments.token_file)
    collectors: list[Collectors] = []

    def scrape(within: float) -> Scrape:
        return collectors[0].scrape(within)

    def step_over() -> None:
        # Once the socket is open here, and before there is any thread that reads.
        if arguments.netns:
            enter(arguments.netns)
        collectors.append(Collectors(sources(arguments), stopwatch=time.perf_counter))

    app = guarded(application(scrape, _OwnMetrics()), door.access)
    with serving(app, *arguments.listen_address, tls=door.tls, before=step_over) as url:
        logs.say(LOGGER, "serving", metrics=f"{url}metrics", interfaces=",".join(arguments.interfaces))
        signal.sigwait(STOP)


class _OwnMetrics:
    """The metrics of the exporter and its process, which stand beside each scrape's."""

    def __init__(self) -> None:
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        labels = (__version__, revision(), platform.python_version())
        self._constant = (
            ACTIVE_MAX_AGE.metric([Sample(ACTIVE_MAX_AGE, (), ACTIVE_SECONDS)]),
            BUILD_INFO.metric([Sample(BUILD_INFO, labels, 1)]),
        )

    def __call__(self) -> Iterator[Metric]:
        yield from self._constant
        yield from self._process.collect()


def revision() -> str:
    """The commit that this was installed from, if pip was told; empty otherwise."""
    try:
        told = importlib.metadata.distribution("wgfleet").read_text("direct_url.json") or "{}"
        return str(json.loads(told).get("vcs_info", {}).get("commit_id", ""))
    except (importlib.metadata.PackageNotFoundError, ValueError, AttributeError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
