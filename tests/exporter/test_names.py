"""Tests of exporter/names.py."""

from pathlib import Path

import pytest

from exporter.names import Names, NamesError, parse_names
from tests.lab.keys import new_key_pair

A, B = new_key_pair(), new_key_pair()


def test_a_list_has_a_key_and_a_name_on_each_line() -> None:
    """By a space or a tab; a name may have spaces; comments and empty lines say nothing."""
    text = f"# who is who\n\n{A.public} Ann's laptop\n{B.public}\tBob\n"

    assert parse_names(text) == {A.public.encode(): "Ann's laptop", B.public.encode(): "Bob"}


def test_a_configuration_has_friendly_names_in_its_peers() -> None:
    """As other exporters read them, wherever they stand in the section; a peer without one has none."""
    text = f"""\
[Interface]
PrivateKey = {A.private}
# friendly_name = not a peer

[Peer]
# friendly_name = Ann's laptop
PublicKey = {A.public}
AllowedIPs = 10.0.0.1/32
[peer]
publickey={B.public}
#friendly_name=Bob
[Peer]
PublicKey = {A.private}
"""

    assert parse_names(text) == {A.public.encode(): "Ann's laptop", B.public.encode(): "Bob"}


def test_an_empty_file_names_nobody() -> None:
    """Which is not wrong."""
    assert parse_names("") == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Ann\n", "line 1: a public key and a name were expected"),
        (f"\n{A.public[:-2]} Ann\n", "line 2: a public key and a name were expected"),
        (f"{A.public}\n", "line 1: a name on one line was expected after the key"),
        (f"{A.public} a\x07b\n", "line 1: a name on one line was expected after the key"),
    ],
    ids=["no key", "short key", "no name", "control character"],
)
def test_what_is_neither_is_refused_by_its_line_and_not_quoted(text: str, error: str) -> None:
    """A line may be a private key's."""
    with pytest.raises(NamesError) as caught:
        parse_names(text)

    assert str(caught.value) == error


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    """Written anew or replaced, and not before."""
    file = tmp_path / "names"
    file.write_text(f"{A.public} Ann\n")
    names = Names(file)
    first = names()
    assert names() is first

    replaced = tmp_path / "new"
    replaced.write_text(f"{A.public} Bob\n")
    replaced.rename(file)

    assert first == {A.public.encode(): "Ann"}
    assert names() == {A.public.encode(): "Bob"}


def test_a_file_that_is_wrong_is_an_error_until_it_is_right(tmp_path: Path) -> None:
    """Each time it is asked for."""
    file = tmp_path / "names"
    file.write_text("nonsense\n")
    names = Names(file)
    for _ in range(2):
        with pytest.raises(NamesError) as caught:
            names()
        assert str(caught.value) == f"{file}: line 1: a public key and a name were expected"
    file.write_bytes(b"\xff\xfe and more\n")
    with pytest.raises(NamesError, match="UTF-8 was expected"):
        names()

    file.write_text(f"{A.public} Ann and others\n")

    assert names() == {A.public.encode(): "Ann and others"}
