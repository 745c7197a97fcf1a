"""Tests of exporter/load.py: what is made of two readings and the time between them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import load, metrics
from exporter.load import MODES, Conntrack, Cpus, Memory, Softnet, Span, Unwrapped, Uplink, Window
from exporter.metrics import Sample

REST = dict.fromkeys(MODES, 0.0)


def cpus(*each: dict[str, float]) -> Cpus:
    """CPUs that spent so many seconds since the machine began; what is not said is 0."""
    whole = [REST | spent for spent in each]
    total = {mode: sum(spent[mode] for spent in whole) for mode in MODES}
    return Cpus(total, {f"cpu{number}": spent for number, spent in enumerate(whole)})


def over_10_s(*each: dict[str, float]) -> load.Ratios | None:
    """The CPUs' ratios when this is what they spent of 10 s."""
    return load.cpu_ratios(Span(cpus(*({} for _ in each)), cpus(*each), 10.0))


def uplink(received: int, transmitted: int, *, device: str = "eth0", speed: float | None = 100.0) -> Uplink:
    return Uplink(device, received, transmitted, speed)


@pytest.mark.parametrize("mode", ["user", "nice", "system", "irq", "softirq", "steal"])
def test_time_that_wireguard_could_not_have_had_is_busy(mode: str) -> None:
    """Stolen time, too: another guest of the same hardware had it."""
    ratios = over_10_s({mode: 5.0, "idle": 5.0}, {"idle": 10.0})

    assert ratios is not None
    assert ratios["cpu"] == 0.25


@pytest.mark.parametrize("mode", ["idle", "iowait"])
def test_time_that_wireguard_could_have_had_is_free(mode: str) -> None:
    """Waiting for a disk keeps no CPU from a packet."""
    assert over_10_s({mode: 10.0}) == {"cpu": 0.0, "cpu_busiest": 0.0}


def test_a_cpu_that_interrupts_saturate_makes_the_worker_loaded() -> None:
    """Its packets are dropped although three others idle."""
    assert over_10_s({"softirq": 9.0, "irq": 1.0}, {}, {}, {}) == {"cpu": 0.25, "cpu_busiest": 1.0}


def test_a_program_that_keeps_one_cpu_busy_does_not() -> None:
    """Interrupts go before it, and the rest of WireGuard's work goes elsewhere."""
    assert over_10_s({"user": 9.0, "system": 1.0}, {}, {}, {}) == {"cpu": 0.25, "cpu_busiest": 0.0}


def test_a_cpu_that_is_stolen_from_the_interrupts_is_theirs() -> None:
    """Together they leave nothing of it."""
    ratios = over_10_s({"softirq": 6.0, "steal": 4.0}, {"idle": 10.0})

    assert ratios is not None
    assert ratios["cpu_busiest"] == 1.0


def test_ticks_that_come_to_more_than_the_clock_are_all_of_it() -> None:
    """The two are not read in the same instant."""
    assert over_10_s({"softirq": 10.4}) == {"cpu": 1.0, "cpu_busiest": 1.0}


def test_a_cpu_that_comes_or_goes_counts_once_it_was_there_all_the_time() -> None:
    """What it spent before is not what it spent now."""
    before = cpus({"user": 100.0}, {"user": 70.0})
    came = cpus({"user": 101.0}, {"user": 70.0}, {"user": 5000.0})
    went = cpus({"user": 101.0})

    assert load.cpu_ratios(Span(before, came, 10.0)) == {"cpu": 0.05, "cpu_busiest": 0.0}
    assert load.cpu_ratios(Span(before, went, 10.0)) == {"cpu": 0.1, "cpu_busiest": 0.0}


def test_busy_time_that_goes_back_begins_anew() -> None:
    """As stolen time does when the machine moves to another host."""
    before = cpus({"user": 100.0, "steal": 50.0, "idle": 10.0})

    assert not load.cpus_go_on(before, cpus({"user": 101.0, "steal": 49.0, "idle": 11.0}))


def test_a_cpu_that_comes_back_with_less_begins_anew() -> None:
    """It is compared with the reading that the span begins with, not only with the latest."""
    window = Window(load.cpus_go_on)
    window.add(cpus({"user": 100.0}, {"user": 100.0}), now=0.0)
    window.add(cpus({"user": 101.0}), now=10.0)

    assert window.add(cpus({"user": 102.0}, {"user": 1.0}), now=20.0).seconds == 0.0


def test_other_cpus_than_before_begin_anew() -> None:
    """Nothing of theirs can be compared."""
    assert not load.cpus_go_on(cpus({}), Cpus({}, {"cpu7": REST}))


def test_idle_time_that_goes_back_does_not() -> None:
    """The kernel's figures of it do, by a little, all the time."""
    assert load.cpus_go_on(cpus({"idle": 10.0, "iowait": 1.0}), cpus({"idle": 9.9, "iowait": 0.9}))


def test_the_busier_direction_is_the_uplinks_load() -> None:
    """Each has the whole speed."""
    assert load.uplink_ratios(Span(uplink(0, 0), uplink(200, 750), 10.0)) == {"uplink": 0.75}
    assert load.uplink_ratios(Span(uplink(0, 0), uplink(500, 250), 10.0)) == {"uplink": 0.5}


def test_an_uplink_of_unknown_speed_has_no_load() -> None:
    """And does not wait for one."""
    once = Span(uplink(0, 0, speed=None), uplink(0, 0, speed=None), 0.0)

    assert load.uplink_ratios(once) == {}
    assert load.uplink_ratios(replace(once, seconds=10.0)) == {}


@pytest.mark.parametrize(
    ("after", "goes_on"),
    [
        (uplink(100, 100), True),
        (uplink(99, 200), False),
        (uplink(200, 99), False),
        (uplink(200, 200, device="eth1"), False),
    ],
)
def test_an_uplink_that_was_replaced_begins_anew(after: Uplink, goes_on: bool) -> None:
    """By another name, or by counters that went back."""
    assert load.uplink_goes_on(uplink(100, 100), after) is goes_on


@pytest.mark.parametrize(("available", "expected"), [(100, 0.0), (20, 0.0), (10, 0.5), (4, 0.8), (0, 1.0)])
def test_memory_is_load_only_when_it_runs_out(available: int, expected: float) -> None:
    """From a fifth on downwards."""
    memory = Memory(available, 100)

    assert load.memory_ratios(Span(memory, memory, 0.0)) == {"memory": pytest.approx(expected)}


def test_connection_tracking_is_load_by_its_limit() -> None:
    """One reading is enough; without a limit there is none."""
    tracked, unlimited = Conntrack(750, 1000), Conntrack(750, 0)

    assert load.conntrack_ratios(Span(tracked, tracked, 0.0)) == {"conntrack": 0.75}
    assert load.conntrack_ratios(Span(unlimited, unlimited, 0.0)) == {}


def test_a_limit_that_is_none_has_no_sample() -> None:
    """Of 0, every number of connections would be infinitely much."""
    assert list(load.of_conntrack(Conntrack(7, 0))) == [Sample(metrics.WORKER_CONNTRACK_ENTRIES, (), 7)]


def test_the_load_is_the_largest_part() -> None:
    """A part that the worker does not have is left out."""
    parts = [{"cpu": 0.2, "cpu_busiest": 0.6}, {}, {"memory": 0.1}]

    assert list(load.load_of(parts)) == [Sample(metrics.WORKER_LOAD, (), 0.6)]


def test_there_is_no_load_while_a_part_is_not_known_yet() -> None:
    """It might be the largest."""
    assert list(load.load_of([{"cpu": 0.2}, None])) == []
    assert list(load.load_of([{}, {}])) == []


def test_a_first_reading_gives_no_rate() -> None:
    """There is nothing yet to compare it with."""
    once = Window(load.cpus_go_on).add(cpus({"user": 100.0}), now=5.0)

    assert load.cpu_ratios(once) is None
    assert load.uplink_ratios(Window(load.uplink_goes_on).add(uplink(0, 0), now=5.0)) is None


def test_readings_within_a_second_give_the_same_span() -> None:
    """So that two scrapers, or two parts of one page, agree."""
    window: Window[int] = Window(int.__le__)
    window.add(1, now=0.0)

    assert window.add(2, now=0.9) == Span(1, 1, 0.0)
    assert window.add(3, now=1.0) == Span(1, 3, 1.0)
    assert window.add(4, now=1.9) == Span(1, 3, 1.0)


def test_the_span_is_about_half_a_minute_once_there_are_so_many_readings() -> None:
    """The youngest of those that are old enough begins it."""
    window: Window[int] = Window(int.__le__)
    spans = [window.add(second, now=float(second)) for second in range(0, 100, 4)]

    assert [span.seconds for span in spans[:10]] == [0, 4, 8, 12, 16, 20, 24, 28, 32, 32]
    assert spans[-1] == Span(64, 96, 32.0)


def test_a_reading_of_just_half_a_minute_ago_is_old_enough() -> None:
    """As with scrapes every 15 s, on time."""
    window: Window[int] = Window(int.__le__)

    assert [window.add(now, now=float(now)).seconds for now in (0, 15, 30, 45)] == [0, 15, 30, 30]


def test_slow_scrapes_are_compared_with_the_one_before() -> None:
    """No window can be shorter than what lies between them."""
    window: Window[int] = Window(int.__le__)

    assert [window.add(now, now=float(now)).seconds for now in (0, 60, 120, 180)] == [0, 60, 60, 60]


@given(st.lists(st.floats(min_value=0.0, max_value=7.0), min_size=1, max_size=300))
def test_no_number_of_scrapers_shortens_the_window(pauses: list[float]) -> None:
    """It reaches back half a minute, or to the start, and not a pause further; and few readings are kept."""
    window: Window[float] = Window(float.__le__)
    window.add(0.0, now=0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        span = window.add(now, now=now)
        assert span.seconds == span.last - span.first
        assert now - span.last < load.APART_SECONDS
        assert span.first == 0.0 or span.seconds >= load.WINDOW_SECONDS
        # A reading is kept at most a second (the close ones are not) and a pause after the one before.
        assert span.seconds < load.WINDOW_SECONDS + load.APART_SECONDS + 7.0
        assert len(window._kept) <= load.WINDOW_SECONDS / load.APART_SECONDS + 2


def test_a_counter_that_goes_back_begins_a_new_window() -> None:
    """One page without a rate, rather than one with a rate that was not."""
    window: Window[int] = Window(int.__le__)
    window.add(100, now=0.0)
    window.add(200, now=10.0)

    assert window.add(150, now=20.0) == Span(150, 150, 0.0)
    assert window.add(160, now=30.0) == Span(150, 160, 10.0)


def test_a_thing_that_is_gone_is_forgotten() -> None:
    """What comes in its place begins anew."""
    window: Window[int] = Window(int.__le__)
    window.add(1, now=0.0)
    window.clear()

    assert window.add(2, now=10.0) == Span(2, 2, 0.0)


def test_softnet_counters_are_added_up_over_all_cpus_since_the_first_reading() -> None:
    """So that a restart of the exporter is the restart that Prometheus sees."""
    counters = Unwrapped()

    assert counters.add({0: Softnet(1000, 10, 1), 1: Softnet(5000, 50, 5)}) == (0, 0, 0)
    assert counters.add({0: Softnet(1001, 12, 1), 1: Softnet(5010, 50, 8)}) == (11, 2, 3)


def test_a_softnet_counter_that_begins_anew_after_32_bits_goes_on() -> None:
    """The sum never falls, which Prometheus would take for a restart."""
    counters = Unwrapped()
    counters.add({0: Softnet((1 << 32) - 10, 0, 0), 1: Softnet(7, 0, 0)})

    assert counters.add({0: Softnet(5, 0, 0), 1: Softnet(7, 0, 0)}) == (15, 0, 0)


def test_a_softnet_counter_that_steps_back_adds_nothing() -> None:
    """And not the 2^32 that are missing to where it was."""
    counters = Unwrapped()
    counters.add({0: Softnet(1000, 0, 0)})

    assert counters.add({0: Softnet(900, 0, 0)}) == (0, 0, 0)
    assert counters.add({0: Softnet(950, 0, 0)}) == (50, 0, 0)


def test_a_cpu_that_goes_offline_keeps_its_share_of_the_softnet_counters() -> None:
    """And one that comes brings nothing of what it counted before."""
    counters = Unwrapped()
    counters.add({0: Softnet(0, 0, 0), 1: Softnet(0, 0, 0)})
    counters.add({0: Softnet(10, 0, 0), 1: Softnet(20, 0, 0)})

    assert counters.add({0: Softnet(11, 0, 0)}) == (31, 0, 0)
    assert counters.add({0: Softnet(11, 0, 0), 1: Softnet(21, 0, 0), 2: Softnet(9, 0, 0)}) == (32, 0, 0)
