"""Tests of exporter/collector.py and the page that it fills: made from what a real interface and machine said."""

import logging
import subprocess
import threading

import pytest
from prometheus_client.openmetrics import parser

from exporter.collector import Collectors, Found, Source
from exporter.metrics import WORKER_CPUS, Sample
from exporter.netdev import Netdev
from exporter.peers import Shown
from tests.deploy.programs import program
from tests.exporter import pages
from tests.exporter.pages import PRESHARED_KEY, PRIVATE_KEY, collectors, families, page, series, worker
from wgfleet.dump import Table, parse_table
from wgfleet.wg import WgError

WHOLE = pages.WHOLE.read_text()
LIMIT = 20.0
"""Seconds. Everything is waited for by its event; this only ends a test that waits in vain."""

NETDEV = {
    "wireguard_interface_up",
    "wireguard_interface_mtu_bytes",
    *(
        f"wireguard_interface_{way}_{what}_total"
        for way in ("receive", "transmit")
        for what in ("bytes", "packets", "errors", "drops")
    ),
}
WORKER = {name for name in families(WHOLE) if name.startswith("wireguard_worker_")}
PEERS = {f"wireguard_exporter_peers_{what}" for what in ("exported", "dropped")}
EXPORTER = {name for name in families(WHOLE) if name.startswith("wireguard_exporter_")} - PEERS
DEVICE = families(WHOLE) - NETDEV - WORKER - EXPORTER
ONLY_INTERFACES = families(WHOLE) - WORKER


def success(text: str) -> dict[str, float]:
    """What the page says of each collector."""
    return {
        labels[0][1]: value
        for (name, labels), value in series(text).items()
        if name == "wireguard_exporter_collector_success"
    }


def no_device(interface: str, before: Table | None, within: float) -> Table:  # noqa: ARG001 - it fails at once.
    """Reads an interface that `wg` cannot read."""
    raise WgError(f"`wg show {interface}` failed: Unable to access interface: No such device")


def no_proc(interface: str) -> Netdev | None:  # noqa: ARG001 - whichever it is.
    """Reads a /proc that is not there."""
    raise FileNotFoundError(2, "No such file or directory", "/proc/net/dev")


def test_the_whole_page() -> None:
    """Every line of it."""
    assert page(collectors(more=worker())) == WHOLE


def test_promtool_finds_nothing_to_say_about_the_page() -> None:
    """Names, types, units and help are as Prometheus wants them."""
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=WHOLE, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_page_is_openmetrics_too() -> None:
    """Prometheus asks for that first; its parser is the stricter one, and finds the same samples."""
    text = page(collectors(more=worker()), accept="application/openmetrics-text; version=1.0.0")
    parsed = parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call] # Untyped in the library.
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parsed
        for sample in family.samples
    }

    assert samples == series(WHOLE)


def test_no_secret_is_on_the_page() -> None:
    """The dump that it was made from has a private and a preshared key."""
    assert PRIVATE_KEY in pages.DUMP
    assert PRESHARED_KEY in pages.DUMP
    assert PRIVATE_KEY not in WHOLE
    assert PRESHARED_KEY not in WHOLE


def test_without_peers_only_their_own_series_are_missing() -> None:
    """The interface's stay as they are, and the page says how many peers are not shown."""
    expected = {
        key: value for key, value in series(WHOLE).items() if not key[0].startswith("wireguard_peer_")
    }
    wg0 = (("interface", "wg0"),)
    expected["wireguard_exporter_peers_exported", wg0] = 0
    expected["wireguard_exporter_peers_dropped", wg0] = 3

    assert series(page(collectors(shown=Shown(most=0), more=worker()))) == expected


def test_nothing_is_read_before_a_page_is_asked_for() -> None:
    """An exporter starts without its interface."""
    collectors(table=no_device, netdev=no_proc)


def test_every_page_is_read_anew() -> None:
    """Nothing is cached."""
    dumps = iter([pages.DUMP, pages.DUMP.replace("\t1748\t", "\t9999\t")])
    made = collectors(table=lambda interface, before, _: parse_table(interface, next(dumps).encode(), before))

    before, after = page(made), page(made)

    assert after == before.replace(" 1748\n", " 9999\n")
    assert after != before


def test_a_peer_that_was_removed_is_gone_from_the_next_page() -> None:
    """Its last values do not linger, and the interface's counters do not fall with it."""
    without_first = "".join(line for number, line in enumerate(pages.DUMP.splitlines(True)) if number != 1)
    dumps = iter([pages.DUMP, without_first])
    made = collectors(table=lambda interface, before, _: parse_table(interface, next(dumps).encode(), before))

    before, after = series(page(made)), series(page(made))

    lost = {dict(labels)["public_key"] for _, labels in before.keys() - after.keys()}
    assert lost == {pages.KEYS[0]}
    received = ("wireguard_interface_receive_bytes_total", (("interface", "wg0"),))
    assert before[received] == after[received]


def test_without_wg_the_network_devices_are_still_shown() -> None:
    """The device's families are gone, not 0, and the page says that their collector failed."""
    text = page(collectors(table=no_device))

    assert families(text) == NETDEV | EXPORTER
    assert success(text) == {"device": 0, "netdev": 1, "names": 1}


def test_without_proc_wireguard_is_still_shown() -> None:
    """The network devices' families are gone, `up` too: nobody knows."""
    text = page(collectors(netdev=no_proc))

    assert families(text) == DEVICE | EXPORTER
    assert success(text) == {"device": 1, "netdev": 0, "names": 1}


def test_without_names_the_peers_are_still_shown() -> None:
    """Only what they are called is gone."""
    text = page(collectors(names=pages.SCRAPES / "not-there"))

    assert families(text) == ONLY_INTERFACES - {"wireguard_peer_info"}
    assert success(text) == {"device": 1, "netdev": 1, "names": 0}


def test_an_interface_that_is_gone_is_said_to_be_down() -> None:
    """That it is not there was read; its counters were not."""
    text = page(collectors(table=no_device, netdev=lambda _interface: None))

    assert families(text) == EXPORTER | {"wireguard_interface_up"}
    assert series(text)["wireguard_interface_up", (("interface", "wg0"),)] == 0
    assert success(text) == {"device": 0, "netdev": 1, "names": 1}


def test_one_broken_interface_does_not_hide_another() -> None:
    """The other's series are whole; the collector says that it did not get everything."""

    def only_wg0(interface: str, before: Table | None, within: float) -> Table:
        return (pages.read_table if interface == "wg0" else no_device)(interface, before, within)

    text = page(
        collectors(
            ["wg1", "wg0"], table=only_wg0, netdev=lambda name: pages.NETDEV if name == "wg0" else None
        )
    )

    of_wg0 = {key for key in series(WHOLE) if ("interface", "wg0") in key[1]}
    of_wg1 = {name for name, labels in series(text) if ("interface", "wg1") in labels}
    assert of_wg0 <= series(text).keys()
    assert of_wg1 == {"wireguard_interface_up"}
    assert success(text) == {"device": 0, "netdev": 1, "names": 1}


def test_an_interface_that_is_named_twice_is_shown_once() -> None:
    """Prometheus would refuse a page with a series twice."""
    assert page(collectors(["wg0", "wg0"])) == page(collectors())


def test_each_metric_stands_on_the_page_once_whatever_the_number_of_interfaces() -> None:
    """Prometheus refuses a family that comes twice."""
    headings = [line for line in page(collectors(["wg0", "wg1"])).splitlines() if line.startswith("# TYPE ")]

    assert len(headings) == len(set(headings)) == len(ONLY_INTERFACES)


def test_one_that_hangs_takes_no_others_time() -> None:
    """All are read at once: here each waits for the other to have begun."""
    both = threading.Barrier(2, timeout=LIMIT)

    def meet(_within: float) -> Found:
        both.wait()
        return [], []

    scrape = Collectors({"a": {"": meet}, "b": {"": meet}}, stopwatch=lambda: 0.0).scrape(1.0)

    assert [sample.value for sample in scrape.samples] == [True, 0.0, True, 0.0]


def test_each_source_is_told_how_long_it_may_take() -> None:
    """So that a page with what could be read comes before Prometheus gives up."""
    told = []

    def source(within: float) -> Found:
        told.append(within)
        return [Sample(WORKER_CPUS, (), 2)], []

    Collectors({"cpu": {"": source}}, stopwatch=lambda: 0.0).scrape(0.7)

    assert told == [0.7]


def test_each_collector_says_how_long_its_slowest_source_took() -> None:
    """By the stopwatch that it was given."""
    seconds = {"quick": 1.0, "slow": 5.0}
    clock = threading.local()

    def stopwatch() -> float:
        clock.now = getattr(clock, "now", 0.0) + getattr(clock, "took", 0.0)
        return float(clock.now)

    def source(name: str) -> Source:
        def read(_within: float) -> Found:
            clock.took = seconds[name]
            return [], []

        return read

    made = Collectors({"both": {name: source(name) for name in seconds}}, stopwatch=stopwatch)
    duration = made.scrape(1.0).samples[-1]

    assert duration.family.name == "wireguard_exporter_collector_duration_seconds"
    assert duration.value == 5.0


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, object]]]:
    """What was logged since, with its facts."""
    records = [(record.levelname, record.getMessage(), vars(record)["facts"]) for record in caplog.records]
    caplog.clear()
    return records


def test_a_failure_is_logged_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """With its reason, and not at each scrape."""
    caplog.set_level(logging.INFO)
    problems = iter(["", "a", "a", "b", "", ""])

    def troubled(interface: str, before: Table | None, within: float) -> Table:
        if problem := next(problems):
            raise WgError(problem)
        return pages.read_table(interface, before, within)

    made = collectors(table=troubled)
    where: dict[str, object] = {"collector": "device", "interface": "wg0"}
    expected: list[list[tuple[str, str, dict[str, object]]]] = [
        [],
        [("ERROR", "collector failed", {**where, "error": "a"})],
        [],
        [("ERROR", "collector failed", {**where, "error": "b"})],
        [("INFO", "collector works again", where)],
        [],
    ]

    for lines in expected:
        page(made)
        assert said(caplog) == lines


def test_a_strangers_error_takes_only_its_collector_away_and_is_not_quoted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception that nobody foresaw may hold the whole dump: its kind is logged, and no traceback."""

    def careless(_interface: str, _before: Table | None, _within: float) -> Table:
        raise ValueError(f"could not make sense of {pages.DUMP}")

    text = page(collectors(table=careless))

    assert families(text) == NETDEV | EXPORTER
    assert success(text) == {"device": 0, "netdev": 1, "names": 1}
    (record,) = caplog.records
    assert vars(record)["facts"] == {"collector": "device", "interface": "wg0", "error": "ValueError"}
    assert not record.exc_info
