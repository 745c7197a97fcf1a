"""Tests of wgfleet/tomltext.py."""

import pytest

from wgfleet.tomltext import parsed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a = 1\nname = "x"\n\nname = "y"\nb = 2\n', "name stands twice, in lines 2 and 4"),
        ('name = "x"\nname = "y"', "name stands twice, in lines 1 and 2"),
        ('urls = ["a"]\nurls = [\n  "secret",\n]\n', "urls stands twice, in lines 1 and 2"),
        ("url = 1\n[mqtt]\nurl = 2\nname = 3\nurl = 4\n", "url in [mqtt] stands twice, in lines 3 and 5"),
        ("[mqtt]\na = 1\n[dns]\na = 1\n[mqtt]\n", "[mqtt] stands twice, in lines 1 and 5"),
        ("[[a]]\nb = 1\n[[a]]\nb = 1\nb = 2\n", "b in [a] stands twice, in lines 4 and 5"),
    ],
)
def test_what_stands_twice_is_named_with_both_lines(text: str, said: str) -> None:
    """And what to do; a value is never quoted."""
    with pytest.raises(ValueError, match="twice") as caught:
        parsed(text)

    assert str(caught.value) == f"{said}: take one of them away"


def test_any_other_fault_has_its_place() -> None:
    """As the parser says it."""
    with pytest.raises(ValueError, match=r"^Invalid value \(at line 2, column 7\)$"):
        parsed('fleet = "example"\nname =\n')


def test_what_cannot_be_found_again_is_said_as_the_parser_does() -> None:
    """A key inside a value."""
    with pytest.raises(ValueError, match=r"^Cannot overwrite a value \(at line 2, column 4\)$"):
        parsed("a.b = 1\na=2\n")


def test_what_is_right_is_read() -> None:
    """With its tables."""
    assert parsed('a = 1\n[b]\nc = "d"\n') == {"a": 1, "b": {"c": "d"}}
