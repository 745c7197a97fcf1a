"""A small slice of the bench of brokers: everything is real but the size of the crowd. No figure is asserted."""

from rich.console import Console

from tests.bench.mqtt import fan_out, summary
from tests.bench.test_failover import run
from tests.deploy.programs import program
from tests.lab.failover import Way


def test_every_subscriber_gets_what_was_published_either_way() -> None:
    """The bench itself refuses other bytes; its last line tells what it promises to tell."""
    program("mosquitto")

    published = fan_out(30, 2, Console(quiet=True))

    assert (len(published.webhook), len(published.bare)) == (2, 2)
    runs = [run(Way.KILL, firing=2.0, traffic=traffic) for traffic in (2.5, 3.5, 3.0)]
    told = summary(30, published, runs)
    assert (told["watchers"], told["runs"], told["kill_p50"], told["kill_max"]) == (30, 3, 3.0, 3.5)
    assert told["vs_bare_publish"] == round(published.ratio, 2)
