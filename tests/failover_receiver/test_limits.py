"""Tests of failover_receiver/limits.py."""

import pytest

from failover_receiver.limits import BURST, SOURCES, TELL_SECONDS, Failures, Seldom, source

NOW = 1000.0


def failing(times: int, address: str = "192.0.2.1", *, now: float = NOW) -> Failures:
    """Somebody has failed so often."""
    failures = Failures()
    for _ in range(times):
        failures.count(address, now=now)
    return failures


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("no address" * 100, ("no address" * 100)[:64]),
    ],
)
def test_what_is_counted_together(address: str, counted: str) -> None:
    """An IPv4 address; of IPv6 all that one machine may send from; and of nonsense not more than a line."""
    assert source(address) == counted


@pytest.mark.parametrize(("times", "wait"), [(0, 0), (BURST - 1, 0), (BURST, 1), (BURST + 50, 1)])
def test_ten_failures_at_once_are_nobodys_harm(times: int, wait: int) -> None:
    """The eleventh waits a second; more of them make it no longer."""
    assert failing(times).wait("192.0.2.1", now=NOW) == wait


def test_one_failure_is_forgiven_each_second() -> None:
    """One a second goes on for ever; two do not."""
    failures = failing(BURST)

    assert failures.wait("192.0.2.1", now=NOW + 0.9) == 1
    assert failures.wait("192.0.2.1", now=NOW + 1) == 0
    failures.count("192.0.2.1", now=NOW + 1)
    assert failures.wait("192.0.2.1", now=NOW + 1) == 1


def test_after_a_while_all_is_forgiven_and_no_more_than_that() -> None:
    """Ten again, not the hundred of a long quiet time."""
    failures = failing(BURST)
    later = NOW + 100

    waits = []
    for _ in range(BURST + 1):
        waits.append(failures.wait("192.0.2.1", now=later))
        failures.count("192.0.2.1", now=later)

    assert waits == [0] * BURST + [1]


def test_one_source_does_not_wait_for_another() -> None:
    """Each has its own bucket; one machine's IPv6 addresses share one."""
    failures = failing(BURST, "2001:db8::1")

    assert failures.wait("192.0.2.1", now=NOW) == 0
    assert failures.wait("2001:db8:0:1::1", now=NOW) == 0
    assert failures.wait("2001:db8::2", now=NOW) == 1


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    """What was left is left."""
    failures = failing(BURST - 1)

    assert failures.wait("192.0.2.1", now=NOW - 3600) == 0


def test_memory_is_bounded_and_the_latest_are_remembered() -> None:
    """Who failed longest ago is forgotten first; failing again makes one the latest."""
    failures = failing(BURST, "192.0.2.1")
    for number in range(SOURCES - 1):
        failures.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", now=NOW)
    failures.count("192.0.2.1", now=NOW)
    for number in range(SOURCES - 1):
        failures.count(f"11.{number >> 16}.{number >> 8 & 255}.{number & 255}", now=NOW)

    assert len(failures) == SOURCES
    assert failures.wait("192.0.2.1", now=NOW) == 1
    failures.count("12.0.0.1", now=NOW)
    assert len(failures) == SOURCES
    assert failures.wait("192.0.2.1", now=NOW) == 0


def test_a_source_is_told_of_once_a_minute() -> None:
    """And another one beside it."""
    seldom = Seldom()
    later = NOW + TELL_SECONDS

    told = [
        seldom.now("192.0.2.1", now=NOW),
        seldom.now("192.0.2.1", now=later - 1),
        seldom.now("192.0.2.2", now=later - 1),
        seldom.now("192.0.2.1", now=later),
    ]

    assert told == [True, False, True, True]


def test_what_was_told_is_forgotten_when_there_are_too_many() -> None:
    """Memory is bounded; a line more in the log is the lesser harm."""
    seldom = Seldom()

    for number in range(SOURCES + 1):
        seldom.now(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", now=NOW)

    assert len(seldom) == SOURCES
    assert seldom.now("10.0.0.0", now=NOW)
