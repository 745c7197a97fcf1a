"""Tests of wgfleet/wording.py: how things are said for people."""

import pytest

from wgfleet.wording import excerpt


def test_an_answer_is_cut_to_a_length_that_a_log_bears() -> None:
    """Whatever its bytes are."""
    assert excerpt(b"no\xff" + b" " * 1000, 4, "") == "no\ufffd "


@pytest.mark.parametrize("most", [10, 25, 500])
def test_an_answer_that_shows_the_token_is_told_without_it(most: int) -> None:
    """As a proxy's page for those who look for a fault; no part of it is left where the answer is cut."""
    said = excerpt(b"you sent Bearer wg_topsecret and wg_topsecret", most, "Bearer wg_topsecret")

    assert "you sent" in said
    assert "wg_" not in said
    assert len(said) <= most
