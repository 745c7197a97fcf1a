"""Tests of exporter/collector.py: whole pages, made from what a real interface said."""

import itertools
import logging
import os
import subprocess

import pytest
from prometheus_client.openmetrics import exposition, parser

from exporter.netdev import Netdev
from tests.exporter import pages
from tests.exporter.pages import PRESHARED_KEY, PRIVATE_KEY, families, page, registry, series
from tests.lab.programs import MissingProgramError, program
from wgfleet.device import Device
from wgfleet.dump import parse_dump
from wgfleet.wg import WgError

WHOLE = (pages.SCRAPES / "wg0.prom").read_text()

NETDEV = {
    "wireguard_interface_up",
    "wireguard_interface_mtu_bytes",
    *(
        f"wireguard_interface_{way}_{what}_total"
        for way in ("receive", "transmit")
        for what in ("bytes", "packets", "errors", "drops")
    ),
}
EXPORTER = {name for name in families(WHOLE) if name.startswith("wireguard_exporter_")}
DEVICE = families(WHOLE) - NETDEV - EXPORTER


def success(text: str) -> dict[str, float]:
    """What the page says of each collector."""
    return {
        labels[0][1]: value
        for (name, labels), value in series(text).items()
        if name == "wireguard_exporter_collector_success"
    }


def no_device(interface: str) -> Device:
    """Reads an interface that `wg` cannot read."""
    raise WgError(f"`wg show {interface}` failed: Unable to access interface: No such device")


def no_sysfs(interface: str) -> Netdev | None:
    """Reads a /sys that is not there."""
    raise FileNotFoundError(2, "No such file or directory", f"/sys/class/net/{interface}")


def test_the_whole_page() -> None:
    """Every line of it."""
    assert page(registry()) == WHOLE


def test_promtool_finds_nothing_to_say_about_the_page() -> None:
    """Names, types, units and help are as Prometheus wants them."""
    try:
        promtool = program("promtool")
    except MissingProgramError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))

    checked = subprocess.run(
        [promtool, "check", "metrics"], input=WHOLE, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_page_is_openmetrics_too() -> None:
    """Prometheus asks for that first; its parser is the stricter one."""
    text = exposition.generate_latest(registry()).decode()  # type: ignore[no-untyped-call] # Untyped in the library.
    parsed = parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call] # And this.

    assert {sample.name for family in parsed for sample in family.samples} == families(WHOLE)


def test_no_secret_is_on_the_page() -> None:
    """The dump that it was made from has a private and a preshared key."""
    assert PRIVATE_KEY in pages.DUMP
    assert PRESHARED_KEY in pages.DUMP
    assert PRIVATE_KEY not in page(registry())
    assert PRESHARED_KEY not in page(registry())


def test_without_peers_only_their_own_series_are_missing() -> None:
    """The interface's stay as they are."""
    expected = {
        key: value for key, value in series(WHOLE).items() if not key[0].startswith("wireguard_peer_")
    }

    assert series(page(registry(with_peers=False))) == expected


def test_nothing_is_read_before_a_page_is_asked_for() -> None:
    """An exporter starts without its interface."""
    registry(device=no_device, netdev=no_sysfs)


def test_every_page_is_read_anew() -> None:
    """Nothing is cached."""
    dumps = iter([pages.DUMP, pages.DUMP.replace("\t1748\t", "\t9999\t")])
    made = registry(device=lambda interface: parse_dump(interface, next(dumps)))

    assert page(made) == WHOLE
    assert page(made) == WHOLE.replace(" 1748.0\n", " 9999.0\n")


def test_a_peer_that_was_removed_is_gone_from_the_next_page() -> None:
    """Its last values do not linger, and the interface's counters do not fall with it."""
    without_first = "".join(line for number, line in enumerate(pages.DUMP.splitlines(True)) if number != 1)
    dumps = iter([pages.DUMP, without_first])
    made = registry(device=lambda interface: parse_dump(interface, next(dumps)))

    before, after = series(page(made)), series(page(made))

    lost = {dict(labels)["public_key"] for _, labels in before.keys() - after.keys()}
    assert lost == {pages.DUMP.splitlines()[1].split("\t")[0]}
    received = ("wireguard_interface_receive_bytes_total", (("interface", "wg0"),))
    assert before[received] == after[received]


def test_without_wg_the_network_devices_are_still_shown() -> None:
    """The device's families are gone, not 0, and the page says that their collector failed."""
    text = page(registry(device=no_device))

    assert families(text) == NETDEV | EXPORTER
    assert success(text) == {"device": 0, "netdev": 1}


def test_without_sysfs_wireguard_is_still_shown() -> None:
    """The network devices' families are gone, `up` too: nobody knows."""
    text = page(registry(netdev=no_sysfs))

    assert families(text) == DEVICE | EXPORTER
    assert success(text) == {"device": 1, "netdev": 0}


def test_an_interface_that_is_gone_is_said_to_be_down() -> None:
    """That it is not there was read; its counters were not."""
    text = page(registry(device=no_device, netdev=lambda _interface: None))

    assert families(text) == EXPORTER | {"wireguard_interface_up"}
    assert series(text)["wireguard_interface_up", (("interface", "wg0"),)] == 0
    assert success(text) == {"device": 0, "netdev": 1}


def test_one_broken_interface_does_not_hide_another() -> None:
    """The other's series are whole; the collector says that it did not get everything."""

    def only_wg0(interface: str) -> Device:
        return pages.read_device(interface) if interface == "wg0" else no_device(interface)

    text = page(registry(["wg1", "wg0"], device=only_wg0))

    of_wg0 = {key for key in series(WHOLE) if ("interface", "wg0") in key[1]}
    of_wg1 = {name for name, labels in series(text) if ("interface", "wg1") in labels}
    assert of_wg0 <= series(text).keys()
    assert of_wg1 == {"wireguard_interface_up"}
    assert success(text) == {"device": 0, "netdev": 1}


def test_an_interface_that_is_named_twice_is_shown_once() -> None:
    """Prometheus would refuse a page with a series twice."""
    assert page(registry(["wg0", "wg0"])) == WHOLE


def test_each_collector_says_how_long_it_took() -> None:
    """By the stopwatch that it was given."""
    text = page(registry(stopwatch=itertools.accumulate([0, 2, 10, 3]).__next__))

    durations = {key: value for key, value in series(text).items() if key[0].endswith("_duration_seconds")}
    assert durations == {
        ("wireguard_exporter_collector_duration_seconds", (("collector", "device"),)): 2,
        ("wireguard_exporter_collector_duration_seconds", (("collector", "netdev"),)): 3,
    }


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, object]]]:
    """What was logged since, with its facts."""
    records = [(record.levelname, record.getMessage(), vars(record)["facts"]) for record in caplog.records]
    caplog.clear()
    return records


def test_a_failure_is_logged_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """With its reason, and not at each scrape."""
    caplog.set_level(logging.INFO)
    problems = iter(["", "a", "a", "b", "", ""])

    def troubled(interface: str) -> Device:
        if problem := next(problems):
            raise WgError(problem)
        return pages.read_device(interface)

    made = registry(device=troubled)
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

    def careless(_interface: str) -> Device:
        raise ValueError(f"could not make sense of {pages.DUMP}")

    text = page(registry(device=careless))

    assert families(text) == NETDEV | EXPORTER
    assert success(text) == {"device": 0, "netdev": 1}
    (record,) = caplog.records
    assert vars(record)["facts"] == {"collector": "device", "interface": "wg0", "error": "ValueError"}
    assert not record.exc_info
