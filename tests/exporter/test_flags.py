"""Tests of exporter/flags.py."""

from pathlib import Path

import pytest

from exporter.flags import parse, parser
from exporter.probe import parse_probe
from wgfleet import __version__

DEFAULTS = {
    "interfaces": ["wg0"],
    "netns": None,
    "peers": True,
    "most_peers": 20_000,
    "endpoints": False,
    "allowed_ips": False,
    "names": None,
    "compatible": False,
    "load": True,
    "uplink": None,
    "uplink_speed": None,
    "egress": [],
    "egress_sources": [],
    "egress_timeout": 2.0,
    "listen_address": ("127.0.0.1", 9586),
    "web_config": None,
    "token_file": None,
    "log_format": "text",
}


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said against this command line, below the usage."""
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_one_interface_is_all_that_must_be_said() -> None:
    """The rest has defaults; only this machine can ask."""
    flags = parser().parse_args(["--interface", "wg0"])

    assert vars(flags) == DEFAULTS


def test_everything_can_be_said() -> None:
    """Interfaces several times."""
    words = """
        --interface wg0 --interface wg-b=1 --netns vpn --log.format=json
        --no-peers --peers.max 7 --peers.endpoints --peers.allowed-ips --names.file names
        --compat.prometheus-wireguard-exporter
        --no-load --uplink.device eth1 --uplink.speed 2.5Gbit
        --egress.probe icmp:192.0.2.1 --egress.probe tcp:[2001:db8::1]:443 --egress.timeout 0.5
        --egress.source 10.90.0.1 --egress.source fd90::1
        --web.listen-address [2001:db8::1]:80 --web.config.file web.yml --web.token-file token
    """

    assert vars(parser().parse_args(words.split())) == {
        "interfaces": ["wg0", "wg-b=1"],
        "netns": "vpn",
        "peers": False,
        "most_peers": 7,
        "endpoints": True,
        "allowed_ips": True,
        "names": Path("names"),
        "compatible": True,
        "load": False,
        "uplink": "eth1",
        "uplink_speed": 312.5e6,
        "egress": [parse_probe("icmp:192.0.2.1"), parse_probe("tcp:[2001:db8::1]:443")],
        "egress_sources": ["10.90.0.1", "fd90::1"],
        "egress_timeout": 0.5,
        "listen_address": ("2001:db8::1", 80),
        "web_config": Path("web.yml"),
        "token_file": Path("token"),
        "log_format": "json",
    }


@pytest.mark.parametrize(
    ("flag", "text", "error"),
    [
        ("--peers.max", "many", "'many' is not a whole number, as 20000"),
        ("--peers.max", "-1", "'-1' is not a whole number, as 20000"),
        ("--uplink.speed", "1", "'1' is not a speed: a number and Mbit or Gbit, as 1Gbit"),
        ("--uplink.speed", "0Gbit", "'0Gbit' is not a speed: a number and Mbit or Gbit, as 1Gbit"),
        ("--egress.timeout", "0", "'0' is not a time: seconds from 0.05 to 10"),
        ("--egress.timeout", "2s", "'2s' is not a time: seconds from 0.05 to 10"),
        ("--egress.timeout", "nan", "'nan' is not a time: seconds from 0.05 to 10"),
        ("--egress.source", "wg0", "'wg0' is not an IP address: as 10.0.0.1 or fd00::1"),
    ],
)
def test_a_wrong_value_is_refused(
    flag: str, text: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the flag, the value and what would be right."""
    assert complaint(capsys, "--interface=wg0", f"{flag}={text}") == (
        f"wgfleet-exporter: error: argument {flag}: {error}"
    )


def test_two_sources_of_one_family_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody could say which one a probe should come from; one of each is right."""
    probes = ["--egress.probe=icmp:192.0.2.1", "--egress.probe=icmp:2001:db8::1"]
    words = ["--interface=wg0", *probes, "--egress.source=10.90.0.1", "--egress.source=fd90::1"]
    assert parse(words).egress_sources == ["10.90.0.1", "fd90::1"]

    with pytest.raises(SystemExit):
        parse([*words, "--egress.source=10.90.0.2"])

    assert capsys.readouterr().err.splitlines()[-1] == (
        "wgfleet-exporter: error: argument --egress.source: 10.90.0.1, fd90::1, 10.90.0.2: at most one of each family"
    )


def test_a_source_without_a_probe_of_its_family_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It would do nothing, and somebody would believe that NAT is tested."""
    with pytest.raises(SystemExit):
        parse(["--interface=wg0", "--egress.probe=icmp:192.0.2.1", "--egress.source=fd90::1"])

    assert capsys.readouterr().err.splitlines()[-1] == (
        "wgfleet-exporter: error: argument --egress.source: fd90::1: no --egress.probe is of its family, so it would do "
        "nothing"
    )


def test_a_probe_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """In the probes' own words."""
    said = complaint(capsys, "--interface=wg0", "--egress.probe=ping:192.0.2.1")

    assert said.startswith(
        "wgfleet-exporter: error: argument --egress.probe: egress probe 'ping:192.0.2.1': "
    )


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
