"""`make bench NAME=mqtt`: what the receiver adds to a broker's own way, and a failover of clients that follow a broker.

First: the real receiver publishes to mosquitto, where a crowd subscribes to its topic. A webhook changes what is published; it is
timed until the last of the crowd has the document. In turn with it, a plain client publishes the same bytes, ready made, at
QoS 0 to the same topic of the same mosquitto. Servers have the first core, the crowd the last; every subscriber's bytes are
compared with what was published. Then, on real WireGuard, workers fail that clients use who follow mosquitto over TLS, until
the traffic of the last of them is back.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.bench._crowd import (
    Crowd,
    Stream,
    connect_packet,
    publish_packet,
    raise_file_limit,
    subscribe_packet,
)
from tests.bench._servers import ASKERS, Receiver, core, mosquitto
from tests.bench.failover import HOLD_DOWN_SECONDS, Run, count_of, measure, turns, ways_of
from tests.failover_receiver.parts import FLEET
from tests.lab.failover import Way
from tests.lab.fleet import Profile
from tests.lab.waiting import wait_until

WORKERS = 8
TOPIC = f"wgfleet/{FLEET}/peer-set"
WARM_UP = 2
"""Rounds that do not count."""
SPARE = 50
"""Open files beside the crowd's."""


@dataclass(frozen=True, slots=True)
class Published:
    """Milliseconds until the last of the crowd has it, round by round."""

    webhook: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """From the webhook on, by the bare publish; of medians."""
        return statistics.median(self.webhook) / statistics.median(self.bare)


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="make bench NAME=mqtt", description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000, help="subscribers (%(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="of which the medians count (%(default)s)")
    parser.add_argument("--interval", default="1s", help="between probes (%(default)s)")
    parser.add_argument("--runs", type=count_of, default=20, help="failures (%(default)s)")
    parser.add_argument(
        "--ways", type=ways_of, default=[Way.KILL], metavar="WAY,…", help="how workers fail (kill)"
    )
    arguments = parser.parse_args()
    console = Console(stderr=True)
    watchers = min(arguments.watchers, raise_file_limit() - SPARE)
    console.print(f"{watchers} subscribers, {arguments.rounds} rounds of each")
    published = fan_out(watchers, arguments.rounds, console)
    profile = Profile(arguments.interval, HOLD_DOWN_SECONDS, hold_down_factor=1.0, broker=True)
    runs = measure(profile, turns(arguments.ways, arguments.runs), console)
    console.print(
        f"the last of {watchers} subscribers has it {statistics.median(published.webhook):.1f} ms after the webhook, "
        f"{statistics.median(published.bare):.1f} ms after a bare publish"
    )
    print(json.dumps(summary(watchers, published, runs)))
    return 0


def fan_out(watchers: int, rounds: int, console: Console) -> Published:
    """The two ways take turns, with the same bytes to the same crowd."""
    with (
        tempfile.TemporaryDirectory(prefix="wgfleet-mqtt.") as folder,
        mosquitto(Path(folder)) as (broker, _),
    ):
        url = f"mqtt://{broker[0]}:{broker[1]}"
        receiver = Receiver(Path(folder) / "receiver", workers=WORKERS, tokens=0, **{"mqtt.url": url})
        receiver.start()
        try:
            return _take_turns(receiver, broker, watchers, rounds, console)
        finally:
            receiver.running.kill()


def _take_turns(
    receiver: Receiver, broker: tuple[str, int], watchers: int, rounds: int, console: Console
) -> Published:
    newest = receiver.document()
    wait_until(lambda: _retained(broker, newest), 20.0, "the receiver to publish to mosquitto")
    hello = [connect_packet(f"client{number}") + subscribe_packet(TOPIC) for number in range(watchers)]
    webhook, bare = [], []
    with Crowd(broker, Stream(hello, b"", sse=False, webhooks=receiver.address), core=core(ASKERS)) as crowd:
        console.print(f"  connected in {crowd.connect():.1f} s")
        for number in range(WARM_UP + rounds):
            webhook.append(crowd.round(receiver.webhook(), end=b"", webhook=True).last)
            crowd.answer()
            document = receiver.document()
            crowd.check(document)
            bare.append(crowd.round(publish_packet(TOPIC, document), end=b"").last)
            crowd.check(document)
            console.print(
                f"  round {number + 1}: {webhook[-1]:.1f} ms, bare {bare[-1]:.1f} ms", highlight=False
            )
    return Published(tuple(webhook[WARM_UP:]), tuple(bare[WARM_UP:]))


def _retained(broker: tuple[str, int], document: bytes) -> bool:
    """Whether who subscribes now is given this document."""
    hello = [connect_packet("looking") + subscribe_packet(TOPIC)]
    with Crowd(broker, Stream(hello, document[-16:], sse=False), core=core(ASKERS)) as one:
        one.connect()
    return True


def summary(watchers: int, published: Published, runs: Sequence[Run]) -> dict[str, object]:
    """The last line."""
    traffic = [run.failover.figures()["killed_to_traffic_seconds"] for run in runs]
    return {
        "watchers": watchers,
        "rounds": len(published.webhook),
        "vs_bare_publish": round(published.ratio, 2),
        "last_ms": round(statistics.median(published.webhook), 1),
        "bare_publish_last_ms": round(statistics.median(published.bare), 1),
        "runs": len(runs),
        "kill_p50": round(statistics.median(traffic), 3),
        "kill_max": round(max(traffic), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
