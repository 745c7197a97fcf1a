"""Tests of client_sync/reached.py: the lines of a status that say whom the daemon follows."""

import pytest

from client_sync.reached import in_short, receiver_lines, remark_lines


def test_a_receiver_that_is_followed_is_named() -> None:
    """And how, if that is worth saying."""
    assert receiver_lines({"receiver": "https://a", "trouble": {}}, 11, ", asked") == [
        "receiver   https://a, asked"
    ]


def test_before_any_has_answered_or_failed_nothing_is_said_against_them() -> None:
    """The daemon has just started. An older daemon does not say which it is."""
    assert receiver_lines({"receiver": None, "trouble": {}}, 11) == ["receiver   (connecting)"]
    assert receiver_lines({"receiver": None}, 11) == ["receiver   (not connected)"]


@pytest.mark.parametrize(("code", "why"), [(401, "revoked"), (403, "something else")])
def test_a_receiver_that_refuses_is_quoted_with_what_to_do(code: int, why: str) -> None:
    """Each receiver for itself."""
    trouble = {"https://a": f'it answered {code}: {{"error":\n"no"}}', "https://b": "refused"}

    first, a, b = receiver_lines({"role": "worker", "receiver": None, "trouble": trouble}, 13)

    assert first == "receiver     (not connected)"
    assert a.startswith(f"             https://a: it answered {code}: no; the token ")
    assert why in a
    assert "(`wgfleet worker enrol NAME --again`), then `wgfleet-sync enroll BUNDLE --force`" in a
    assert b == "             https://b: refused"


def test_remarks_stand_in_the_same_columns() -> None:
    """An older daemon has none."""
    assert remark_lines({"remarks": ["a", "b"]}, 11) == ["remark     a", "remark     b"]
    assert remark_lines({}, 11) == []


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({}, "no receiver reached"),
        ({"https://a": "it answered 503: busy"}, "no receiver reached"),
        ({"https://a": "refused", "https://b": "it answered 401: no"}, "no receiver lets it in"),
    ],
)
def test_in_one_line_a_refusal_is_not_called_a_receiver_that_is_away(
    trouble: dict[str, str], said: str
) -> None:
    """As `systemctl status` shows it."""
    assert in_short({"receiver": None, "trouble": trouble}) == said
    assert in_short({"receiver": "https://a", "trouble": {}}, "asked from") == "asked from https://a"
