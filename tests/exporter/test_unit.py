"""Tests of deploy/systemd/wgfleet-exporter.service, as far as it depends on the exporter."""

import re
from pathlib import Path

import pytest

from exporter.flags import parser

UNIT = (Path(__file__).parents[2] / "deploy" / "systemd" / "wgfleet-exporter.service").read_text()


@pytest.mark.parametrize("words", re.findall(r"ARGS=([^\"\n]+)", UNIT))
def test_the_flags_in_the_unit_are_understood(words: str) -> None:
    """The default and the example that it gives."""
    assert parser().parse_args(words.split()).interfaces == ["wg0"]


def test_there_is_a_default_and_an_example() -> None:
    """Or the test above would have nothing to try."""
    assert len(re.findall("ARGS=", UNIT)) == 2


def test_a_wrong_flag_is_not_tried_again() -> None:
    """Argparse ends with 2, and no time mends that."""
    assert "\nRestartPreventExitStatus=2\n" in UNIT
    with pytest.raises(SystemExit) as caught:
        parser().parse_args([])

    assert caught.value.code == 2
