"""Tests of client_sync/adopting/filling.py: what stands in sync.toml stays, to the letter, but for what is meant."""

import tomllib

import pytest

from client_sync.adopting.filling import DRAFT, FillingError, filled

TEXT = """\
# ours
fleet = "example"   # the fleet
interface = "wg0"
"""


def test_what_is_lacking_is_added_at_the_end() -> None:
    """The rest is as it was, comments too."""
    assert filled(
        TEXT, {"interface": "wg0", "addresses": ["10.99.1.7/16"], "firewall_mark": 51820}, again=False
    ) == (TEXT + 'addresses = ["10.99.1.7/16"]\nfirewall_mark = 51820\n')


def test_what_is_said_already_changes_nothing() -> None:
    """However often it is adopted."""
    assert filled(TEXT, {"interface": "wg0"}, again=False) == TEXT


def test_an_address_with_the_longest_prefix_is_the_address_alone() -> None:
    """An enrolment writes it alone; the interface has it with /32."""
    text = TEXT + 'addresses = ["10.99.1.7", "fd99::7/128"]\n'

    assert filled(text, {"addresses": ["10.99.1.7/32", "fd99::7"]}, again=False) == text
    with pytest.raises(FillingError, match="addresses is"):
        filled(text, {"addresses": ["10.99.1.7/16", "fd99::7"]}, again=False)


def test_what_is_said_otherwise_is_not_replaced() -> None:
    """The error has both, and how to mean it."""
    with pytest.raises(FillingError) as caught:
        filled(TEXT, {"interface": "wg1"}, again=False)

    assert str(caught.value) == (
        "it says otherwise: interface is 'wg0', and 'wg1' was found. With --again what was found replaces it"
    )


def test_it_is_replaced_if_it_is_meant() -> None:
    """On its own line."""
    assert filled(TEXT, {"interface": "wg1"}, again=True) == TEXT.replace("wg0", "wg1")


def test_keys_come_before_the_first_table() -> None:
    """Behind it, they would be the table's."""
    text = 'fleet = "example"\n\n[other]\nname = "x"\n'

    assert filled(text, {"interface": "wg0"}, again=False) == (
        'fleet = "example"\ninterface = "wg0"\n\n[other]\nname = "x"\n'
    )


def test_a_file_without_a_last_newline_is_completed() -> None:
    """As some editors leave it."""
    assert filled('fleet = "example"', {"interface": "wg0"}, again=False) == (
        'fleet = "example"\ninterface = "wg0"\n'
    )


def test_what_cannot_be_replaced_safely_is_left_with_what_to_write() -> None:
    """A list over several lines, say."""
    text = 'addresses = [\n  "10.0.0.1",\n]\n'

    with pytest.raises(FillingError) as caught:
        filled(text, {"addresses": ["10.99.1.7"]}, again=True)

    assert str(caught.value) == (
        'it is written in a way that is not understood here: say addresses = ["10.99.1.7"] in it by hand'
    )


def test_a_broken_file_is_said() -> None:
    """It is not made worse."""
    with pytest.raises(FillingError, match="it cannot be read"):
        filled("fleet =", {"interface": "wg0"}, again=True)


def test_the_draft_says_nothing_that_was_not_found() -> None:
    """All that only the operator knows is a comment."""
    assert tomllib.loads(filled(DRAFT, {"interface": "wg0"}, again=False)) == {"interface": "wg0"}
