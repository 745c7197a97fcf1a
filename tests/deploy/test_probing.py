"""The arithmetic of the windows."""

from datetime import timedelta

import pytest

from tests.deploy.refusals import threshold_refusal, timeout_refusal
from wgfleet.cli.probing import (
    Probing,
    SettingsError,
    default_timeout,
    duration_text,
    parse_duration,
)


def probing(interval: str, timeout: str, threshold: int = 3) -> Probing:
    return Probing(parse_duration(interval), parse_duration(timeout), threshold)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("1s", timedelta(seconds=1)),
        ("1m30s", timedelta(seconds=90)),
        ("17s500ms", timedelta(seconds=17.5)),
        ("1w2d3h4m5s6ms", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("0s", timedelta()),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    """
    Durations are read and written as Prometheus does it.
    """
    assert duration == parse_duration(text)
    assert text == duration_text(duration)


@pytest.mark.parametrize("text", ["", "30", "1.5s", "-1s", "30 s", "s", "1s1m", "1s\n", "\u0661s", "1min"])
def test_what_is_no_duration(text: str) -> None:
    """
    Anything else is refused with the value and what would be right.
    """
    with pytest.raises(ValueError) as refusal:  # noqa: PT011  # The whole text is compared.
        parse_duration(text)

    assert f"{text!r} is not a duration: as 500ms, 30s or 1m30s" == str(refusal.value)


@pytest.mark.parametrize(
    ("interval", "timeout"),
    [
        ("100ms", "50ms"),
        ("1s", "500ms"),
        ("2s", "1s"),
        ("4s", "2s"),
        ("5s", "2s"),
        ("30s", "2s"),
        ("2m", "2s"),
    ],
)
def test_default_timeout(interval: str, timeout: str) -> None:
    """
    A probe waits half its interval by default, and 2 s at most.
    """
    assert timeout == duration_text(default_timeout(parse_duration(interval)))


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        (("30s", "2s", 3), ("1m32s500ms", "2s200ms", "1m33s500ms")),
        (("5s", "2s", 3), ("17s500ms", "2s200ms", "18s500ms")),
        (("1s", "500ms", 3), ("3s625ms", "700ms", "4s625ms")),
        (("1s", "500ms", 2), ("2s625ms", "700ms", "3s625ms")),
        (("1s", "950ms", 3), ("3s962ms", "1s", "4s962ms")),
        (("250ms", "125ms", 3), ("906ms", "187ms", "1s156ms")),
        (("100ms", "50ms", 3), ("362ms", "100ms", "462ms")),
    ],
)
def test_times(settings: tuple[str, str, int], times: tuple[str, str, str]) -> None:
    """
    The window is threshold x interval + timeout and a margin; the scrape's timeout and the detection follow.
    """
    p = probing(*settings)

    assert times == (duration_text(p.window), duration_text(p.scrape_timeout), duration_text(p.detection))


@pytest.mark.parametrize("threshold", [2, 3, 4, 5])
@pytest.mark.parametrize("interval", [100, 101, 250, 999, 1000, 3000, 5000, 30000, 120000])
def test_window_holds_the_last_probes_and_no_more(interval: int, threshold: int) -> None:
    """
    Whatever is accepted, N x interval + timeout <= window < (N + 1) x interval, the scrape waits for the probe, and
    the time between Up and Down or Down and Up is no silence.
    """
    for timeout in {1, interval // 4, interval // 2, interval - 51, interval - 50}:
        p = Probing(timedelta(milliseconds=interval), timedelta(milliseconds=timeout), threshold)

        assert threshold * p.interval + p.timeout < p.window < (threshold + 1) * p.interval
        assert p.timeout + timedelta(milliseconds=50) <= p.scrape_timeout <= p.interval
        assert (threshold - 1) * p.interval + p.timeout + p.margin + p.evaluation < p.worker_silence
        assert p.window == parse_duration(duration_text(p.window))


@pytest.mark.parametrize("window", ["17s10ms", "18s", "19s999ms"])
def test_chosen_window(window: str) -> None:
    """
    A window that was chosen stands as it is, and the detection follows from it.
    """
    chosen = parse_duration(window)
    p = Probing(timedelta(seconds=5), timedelta(seconds=2), chosen_window=chosen)

    assert (p.window, p.detection) == (chosen, chosen + timedelta(seconds=1))
    assert sum(p.detection_parts.values(), timedelta()) == p.detection


@pytest.mark.parametrize("window", ["17s9ms", "20s"])
def test_window_that_cannot_work(window: str) -> None:
    """
    A window that loses the first probe before the last has timed out, or holds one probe more, is refused.
    """
    with pytest.raises(SettingsError, match=f"window is {window}, expected 17s10ms to 19s999ms"):
        Probing(timedelta(seconds=5), timedelta(seconds=2), chosen_window=parse_duration(window))


@pytest.mark.parametrize(
    ("interval", "timeout", "threshold", "refusal"),
    [
        ("99ms", "10ms", 3, "interval is 99ms, expected 100ms to 2m"),
        ("2m1ms", "2s", 3, "interval is 2m1ms, expected 100ms to 2m"),
        ("5s", "5s", 3, timeout_refusal("5s", longest="4s950ms", interval="5s")),
        ("1s", "951ms", 3, timeout_refusal("951ms", longest="950ms", interval="1s")),
        ("1s", "0s", 3, timeout_refusal("0s", longest="950ms", interval="1s")),
        ("30s", "2s", 1, threshold_refusal(1)),
        ("30s", "2s", 6, threshold_refusal(6)),
    ],
)
def test_times_that_cannot_work(interval: str, timeout: str, threshold: int, refusal: str) -> None:
    """
    Times that cannot work are refused with the field, its value and what would be right.
    """
    with pytest.raises(SettingsError) as error:
        probing(interval, timeout, threshold)

    assert refusal == str(error.value)
