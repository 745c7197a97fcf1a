"""Tests of wgfleet/outages.py: what is news while something is away."""

from wgfleet.outages import MOST_REASONS, Outages


def test_a_loss_is_news_once_however_often_it_is_tried_again() -> None:
    """For each of those that are away."""
    outages = Outages()

    news = [outages.lost(whom, "refused", now) for now in range(3) for whom in ("r1", "r2")]

    assert news == [True, True, False, False, False, False]


def test_another_reason_is_news_once_though_they_alternate() -> None:
    """As where a receiver has two addresses, and each fails in its own way."""
    outages = Outages()

    news = [outages.lost("r1", error, now) for now in range(3) for error in ("refused", "no answer in time")]

    assert news == [True, True, False, False, False, False]


def test_an_answer_is_of_a_kind_by_its_status() -> None:
    """Its page may differ each time."""
    outages = Outages()

    news = [
        outages.lost("r1", error, 0)
        for error in (
            "it answered 503: at 10:00",
            "it answered 503: at 10:01",
            "it answered 401: no such token",
        )
    ]

    assert news == [True, False, True]


def test_reasons_without_end_are_no_news_in_the_end() -> None:
    """Words that differ each time fill no log."""
    outages = Outages()

    news = [outages.lost("r1", f"reason {number}", 0) for number in range(100)]

    assert news.count(True) == MOST_REASONS


def test_whoever_is_reached_again_is_told_for_how_long_it_was_away_and_its_next_loss_is_news() -> None:
    """Since the first failure; and that ends no other's outage."""
    outages = Outages()
    outages.lost("r1", "refused", 10.0)
    outages.lost("r2", "refused", 10.0)
    outages.lost("r1", "refused", 20.0)

    assert outages.reached("r1", 72.5) == 62.5
    assert outages.reached("r1", 73.0) is None
    assert outages.lost("r1", "refused", 80.0)
    assert not outages.lost("r2", "refused", 80.0)
