"""`wgfleet-exporter`: serves the metrics of this machine's WireGuard interfaces until it is told to stop."""

import argparse
import functools
import logging
import platform
import signal
import sys
import time

from wgfleet import __version__, logs
from wgfleet.wg import read_device

try:
    from prometheus_client import CollectorRegistry, ProcessCollector

    from exporter.collector import BuildInfo, WireGuardCollector
    from exporter.flags import parser
    from exporter.server import ListenError, application, serving
    from exporter.sysfs import read_netdev
except ModuleNotFoundError as missing:
    # The command is installed with every daemon, its packages only on workers.
    sys.exit(
        f"wgfleet-exporter: the package {missing.name} is not installed here: on a worker, "
        "`pip install --require-hashes -r requirements/exporter.txt`"
    )

LOGGER = logging.getLogger("exporter")

STOP = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Run the command; return its exit code: 0 told to stop, 1 it failed, 2 it was asked wrongly."""
    arguments = parser().parse_args()
    logs.configure(arguments.log_format)
    # Before there are threads, which inherit it: a signal then waits for sigwait, whenever it comes.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        with serving(application(_registry(arguments)), *arguments.listen_address) as url:
            logs.say(LOGGER, "serving", metrics=f"{url}metrics", interfaces=",".join(arguments.interfaces))
            signal.sigwait(STOP)
    except ListenError as error:
        print(f"wgfleet-exporter: {error}", file=sys.stderr)
        return 1
    return 0


def _registry(arguments: argparse.Namespace) -> CollectorRegistry:
    registry = CollectorRegistry(support_collectors_without_names=True)  # Which makes `?name[]=` work.
    registry.register(
        WireGuardCollector(
            arguments.interfaces,
            read_device=read_device,
            read_netdev=functools.partial(read_netdev, sysfs=arguments.sysfs),
            now=time.time,
            stopwatch=time.perf_counter,
            with_peers=arguments.peers,
        )
    )
    registry.register(BuildInfo(__version__, platform.python_version()))
    ProcessCollector(registry=registry)
    return registry


if __name__ == "__main__":
    sys.exit(main())
