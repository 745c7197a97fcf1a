"""Tests of exporter/flags.py."""

from pathlib import Path

import pytest

from exporter.flags import parser
from wgfleet import __version__


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said against this command line, below the usage."""
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_one_interface_is_all_that_must_be_said() -> None:
    """The rest has defaults; only this machine can ask."""
    flags = parser().parse_args(["--interface", "wg0"])

    assert vars(flags) == {
        "interfaces": ["wg0"],
        "peers": True,
        "listen_address": ("127.0.0.1", 9586),
        "sysfs": Path("/sys"),
        "log_format": "text",
    }


def test_everything_can_be_said() -> None:
    """Interfaces several times."""
    words = "--interface wg0 --interface wg-b=1 --no-peers --web.listen-address [2001:db8::1]:80"
    flags = parser().parse_args([*words.split(), "--path.sysfs", "/host/sys", "--log.format=json"])

    assert vars(flags) == {
        "interfaces": ["wg0", "wg-b=1"],
        "peers": False,
        "listen_address": ("2001:db8::1", 80),
        "sysfs": Path("/host/sys"),
        "log_format": "json",
    }


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9586", ("0.0.0.0", 9586)),
        ("[::]:9586", ("::", 9586)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_may_be_all_of_this_machines(text: str, address: tuple[str, int]) -> None:
    """Or a name."""
    flags = parser().parse_args(["--interface=wg0", "--web.listen-address", text])

    assert flags.listen_address == address


@pytest.mark.parametrize(
    "text", ["", "9586", "127.0.0.1", "127.0.0.1:", "::1:9586", "a b:1", "x:0", "x:99999"]
)
def test_a_wrong_address_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With examples of right ones."""
    assert complaint(capsys, "--interface=wg0", f"--web.listen-address={text}") == (
        f"wgfleet-exporter: error: argument --web.listen-address: {text!r} is not an address to listen on: "
        "HOST:PORT, as 127.0.0.1:9586, [::1]:9586 or :9586"
    )


def test_no_interface_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no default that would be right on every machine."""
    expected = "wgfleet-exporter: error: the following arguments are required: --interface"

    assert complaint(capsys) == expected


@pytest.mark.parametrize("name", ["", "wg 0", "a" * 16, "..", ".", "../wg0", "wg0\n", "wg/0", "wgä"])
def test_what_is_no_interface_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It would become a path and a word for `wg`."""
    assert complaint(capsys, f"--interface={name}") == (
        f"wgfleet-exporter: error: argument --interface: {name!r} is not an interface's name: "
        "1 to 15 letters, digits or _=+.- as wg0"
    )


@pytest.mark.parametrize("word", ["all", "interfaces"])
def test_words_of_wg_are_no_interfaces(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`wg show all` would show other network namespaces' interfaces, and has another form."""
    assert complaint(capsys, "--interface", word) == (
        f"wgfleet-exporter: error: argument --interface: {word!r} is a word of `wg show`, "
        "not an interface: name each interface"
    )


def test_the_log_has_two_formats(capsys: pytest.CaptureFixture[str]) -> None:
    """And the refusal of a third names them."""
    for log_format in ("text", "json"):
        assert parser().parse_args(["--interface=wg0", "--log.format", log_format]).log_format == log_format

    said = complaint(capsys, "--interface=wg0", "--log.format=xml")
    assert all(word in said for word in ("--log.format", "'xml'", "text", "json"))


def test_abbreviations_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A new flag must not change what an old unit file means."""
    assert complaint(capsys, "--interface=wg0", "--no-peer").endswith("unrecognized arguments: --no-peer")


@pytest.mark.parametrize(
    ("flag", "answer"),
    [("--version", f"wgfleet-exporter {__version__}\n"), ("--help", "usage: wgfleet-exporter ")],
)
def test_questions_are_answered(flag: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, and that is a success."""
    with pytest.raises(SystemExit) as caught:
        parser().parse_args([flag])

    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(answer)
