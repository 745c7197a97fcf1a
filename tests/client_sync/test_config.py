"""Tests of client_sync/config.py: what the file may say, and the exact text of every refusal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from client_sync.choice import Policy
from client_sync.config import Config, ConfigurationError, Role, load
from wgfleet.signing import Signer

KEY = Signer.generate().public_text
REQUIRED = f"""\
fleet = "example"
name = "laptop-1"
interface = "wg0"
receivers = ["https://monitoring.example.com:9587"]
token_file = "token"
trusted_keys = ["{KEY}"]
"""
KNOWN = (
    "active_probe_interval, addresses, apply, ca_file, client_hook, drain_deadline, drain_on_stop, drain_timeout, "
    "failback_after, failback_spread, firewall_mark, fleet, forwarding, interface, kill_switch, kill_switch_allow, "
    "kill_switch_first, layout, local_failover, manage_routes, masquerade, mqtt, name, policy, poll_interval, private_key_file, "
    "probe_target, proxy, proxy_credentials_file, receivers, restart_command, role, shared_interface, "
    "shared_networks, standby_probe_interval, state_directory, textfile, token_file, trusted_keys, wg_quick_file, "
    "wireguard"
)

NO_PROXY = "an HTTP proxy's URL was expected, without user or password: as http://proxy.example.com:3128"
NO_TEXTFILE = "a file whose name ends in .prom was expected: node_exporter reads no other"

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes the file."""

    def write(text: str) -> Path:
        file = tmp_path / "sync.toml"
        file.write_text(text)
        return file

    return write


def refusal(file: Path) -> str:
    """What is wrong with the file, without its name."""
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    return str(caught.value).replace(str(file), "FILE")


def with_line(line: str) -> str:
    """The smallest file with one line said otherwise."""
    key = line.partition(" ")[0]
    return "\n".join([*(old for old in REQUIRED.splitlines() if not old.startswith(f"{key} ")), line])


def test_the_smallest_file_leaves_the_rest_to_defaults(written: Written, tmp_path: Path) -> None:
    """Six keys are all that must be said; the token is looked for beside the file."""
    assert load(written(REQUIRED)) == Config(
        fleet="example",
        name="laptop-1",
        interface="wg0",
        receivers=("https://monitoring.example.com:9587",),
        token_file=tmp_path / "token",
        trusted_keys=(KEY,),
        state_directory=Path("/var/lib/wgfleet/sync"),
        policy=Policy.SPREAD,
        ca_file=None,
        standby_probe_interval=5.0,
        manage_routes=True,
        proxy=None,
        proxy_credentials_file=None,
        poll_interval=10.0,
        textfile=None,
    )


def test_everything_can_be_said(written: Written, tmp_path: Path) -> None:
    """Relative paths count from the file's folder, absolute ones stay."""
    said = f"""{REQUIRED}
policy = "priority"
state_directory = "state"
ca_file = "/etc/ssl/own.pem"
standby_probe_interval = 30
manage_routes = false
proxy = "http://proxy.example.com:3128/"
proxy_credentials_file = "proxy"
poll_interval = 60
textfile = "wgfleet.prom"
"""

    config = load(written(said))

    assert (config.policy, config.standby_probe_interval, config.manage_routes) == (
        Policy.PRIORITY,
        30.0,
        False,
    )
    assert config.state_directory == tmp_path / "state"
    assert config.ca_file == Path("/etc/ssl/own.pem")
    assert (config.proxy, config.proxy_credentials_file, config.poll_interval, config.textfile) == (
        "http://proxy.example.com:3128",
        tmp_path / "proxy",
        60.0,
        tmp_path / "wgfleet.prom",
    )


def test_a_worker_says_what_a_worker_needs(written: Written) -> None:
    """Beside what both roles need."""
    config = load(written(f'{REQUIRED}role = "worker"\nforwarding = true\nmasquerade = ["eth0", "eth1"]\n'))

    assert (config.role, config.forwarding, config.masquerade) == (Role.WORKER, True, ("eth0", "eth1"))


def test_a_worker_need_not_forward_nor_masquerade(written: Written) -> None:
    """Most have it set up already."""
    config = load(written(f'{REQUIRED}role = "worker"\nmasquerade = []\n'))

    assert (config.forwarding, config.masquerade) == (False, ())


def test_a_worker_leaves_only_if_it_is_told_to(written: Written) -> None:
    """By default SIGTERM ends the daemon at once; two minutes is how long clients have to leave."""
    silent = load(written(f'{REQUIRED}role = "worker"\n'))
    told = load(written(f'{REQUIRED}role = "worker"\ndrain_on_stop = true\ndrain_timeout = 600\n'))

    assert (silent.drain_on_stop, silent.drain_timeout) == (False, 120.0)
    assert (told.drain_on_stop, told.drain_timeout) == (True, 600.0)


@pytest.mark.parametrize(
    ("role", "line", "other"),
    [
        ("worker", 'policy = "spread"', "client"),
        ("worker", "standby_probe_interval = 5", "client"),
        ("client", "forwarding = true", "worker"),
        ("client", 'masquerade = ["eth0"]', "worker"),
        ("client", "drain_on_stop = true", "worker"),
        ("vantage", "drain_timeout = 5", "worker"),
        ("vantage", "failback_after = 5", "client"),
        ("vantage", "forwarding = true", "worker"),
    ],
)
def test_a_key_of_the_other_role_is_refused_by_name(
    written: Written, role: str, line: str, other: str
) -> None:
    """It would do nothing, and somebody relies on it."""
    said = f'{REQUIRED}role = "{role}"\n{line}\n'

    assert refusal(written(said)) == (
        f"FILE:\n  {line.partition(' ')[0]}: is for the role {other}, and this is a {role}: take it away"
    )


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("https://monitoring.example.com:9587/", "https://monitoring.example.com:9587"),
        ("https://example.com/fleet/", "https://example.com/fleet"),
        ("http://192.0.2.1", "http://192.0.2.1"),
        ("https://[2001:db8::1]:9587", "https://[2001:db8::1]:9587"),
    ],
)
def test_a_receivers_url_is_taken_without_its_last_slash(written: Written, said: str, read: str) -> None:
    """By name or address, with a path before ours or without."""
    assert load(written(with_line(f'receivers = ["{said}"]'))).receivers == (read,)


def test_all_faults_are_said_at_once(written: Written) -> None:
    """What is missing, what is unknown and what is wrong, each with its key, its value and what would be right."""
    said = 'fleet = "Example"\nname = 7\nreceiver = "x"\ntrusted_keys = []\npolicy = "fast"\nmanage_routes = "no"\n'

    assert refusal(written(said)) == "\n  ".join(
        [
            "FILE:",
            "interface: is missing",
            "receivers: is missing",
            "token_file: is missing",
            "fleet: is 'Example': 'Example' is not a name: lower-case letters, digits and inner hyphens, 1 to 63 of them",
            "name: is 7: a text was expected",
            f"receiver: there is no such key; known are {KNOWN}",
            "trusted_keys: a list of texts was expected, with at least one",
            "policy: is 'fast': one of spread, priority, latency was expected",
            "manage_routes: is 'no': true or false was expected",
        ]
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('token_file = ""', "token_file: is '': a text was expected"),
        ("fleet = true", "fleet: is True: a text was expected"),
        ('role = "server"', "role: is 'server': one of client, worker, vantage was expected"),
        ("role = []", "role: is []: one of client, worker, vantage was expected"),
        (
            'receivers = "https://a"',
            "receivers: is 'https://a': a list of texts was expected, with at least one",
        ),
        ("receivers = [7]", "receivers: is [7]: a list of texts was expected, with at least one"),
        ('policy = ["spread"]', "policy: is ['spread']: one of spread, priority, latency was expected"),
        ("policy = 1", "policy: is 1: one of spread, priority, latency was expected"),
        (
            "standby_probe_interval = 0",
            "standby_probe_interval: is 0: seconds were expected, from 0.1 to 3600",
        ),
        (
            "standby_probe_interval = 3600.5",
            "standby_probe_interval: is 3600.5: seconds were expected, from 0.1 to 3600",
        ),
        (
            "standby_probe_interval = nan",
            "standby_probe_interval: is nan: seconds were expected, from 0.1 to 3600",
        ),
        (
            "standby_probe_interval = true",
            "standby_probe_interval: is True: seconds were expected, from 0.1 to 3600",
        ),
        (
            'standby_probe_interval = "5"',
            "standby_probe_interval: is '5': seconds were expected, from 0.1 to 3600",
        ),
        ("poll_interval = 0.5", "poll_interval: is 0.5: seconds were expected, from 1 to 3600"),
        ('textfile = "wgfleet.txt"', f"textfile: is 'wgfleet.txt': {NO_TEXTFILE}"),
        ('proxy = "socks5://proxy:1080"', f"proxy: {NO_PROXY}"),
        ('proxy = "http://ann:secret@proxy:3128"', f"proxy: {NO_PROXY}"),
        ('proxy = "http://proxy:3128/path"', f"proxy: {NO_PROXY}"),
        ("manage_routes = 1", "manage_routes: is 1: true or false was expected"),
        (
            'trusted_keys = ["abc"]',
            (
                "trusted_keys: a text of 3 characters is not a public signing key: 32 bytes in base64 were expected, "
                "as `wgfleet signing-key` prints them"
            ),
        ),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(written: Written, line: str, fault: str) -> None:
    """Whatever TOML can say in its place."""
    assert refusal(written(with_line(line))) == f"FILE:\n  {fault}"


@pytest.mark.parametrize("said", ['["a-secret", "b"]', '"a-secret"', '{ key = "a-secret" }'])
def test_what_stands_in_place_of_trusted_keys_is_not_quoted(written: Written, said: str) -> None:
    """It may be a secret, and the error goes to the log."""
    assert "a-secret" not in refusal(written(with_line(f"trusted_keys = {said}")))


@pytest.mark.parametrize("name", ["a234567890123456", "wg/0", "wg 0", r"wg\t0", ""])
def test_what_cannot_be_an_interfaces_name_is_refused(written: Written, name: str) -> None:
    """The kernel would refuse it later, and less clearly."""
    assert refusal(written(with_line(f'interface = "{name}"'))).startswith("FILE:\n  interface: is ")


def test_an_interfaces_name_of_fifteen_is_taken(written: Written) -> None:
    """That is the kernel's limit."""
    assert load(written(with_line('interface = "a23456789012345"'))).interface == "a23456789012345"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "monitoring.example.com",
        "monitoring.example.com:9587",
        "ftp://monitoring.example.com",
        "https://",
        "https://monitoring.example.com?fleet=example",
        "https://monitoring.example.com#fleet",
        "https://user@monitoring.example.com",
        "https://:secret@monitoring.example.com",
        "https://monitoring.example.com:port",
        "https://monitoring.example.com:99999",
        "https://monitoring.example.com:0",
        "https://[2001:db8::1",
        r"https://monitoring.example.com/\u0000",
    ],
)
def test_what_is_no_receivers_url_is_refused(written: Written, url: str) -> None:
    """At once, and not when the daemon first asks there; one of several is enough."""
    refused = refusal(written(with_line(f'receivers = ["https://a.example.com", "{url}"]')))

    assert refused.endswith("is not a receiver's URL: as https://monitoring.example.com:9587")


def test_a_missing_file_is_said_with_where_to_read_more(tmp_path: Path) -> None:
    """The next step is to write it."""
    assert refusal(tmp_path / "sync.toml") == (
        "FILE is not there: see `wgfleet-sync run --help` for what it says"
    )


def test_a_file_that_is_no_toml_is_said_with_its_place(written: Written) -> None:
    """Line and column."""
    assert refusal(written('fleet = "example"\nname =\n')) == (
        "FILE cannot be read: Invalid value (at line 2, column 7)"
    )


def test_a_key_that_stands_twice_is_named_with_both_lines(written: Written) -> None:
    """The parser names neither."""
    said = refusal(written('fleet = "example"\nname = "a"\n\nname = "b"\n'))

    assert said == "FILE cannot be read: name stands twice, in lines 2 and 4: take one of them away"


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    (tmp_path / "sync.toml").write_bytes(b"\xff\xfe")

    assert refusal(tmp_path / "sync.toml").startswith("FILE cannot be read: 'utf-8' codec can't decode")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What the system says is passed on."""
    assert refusal(tmp_path) == "FILE cannot be read: [Errno 21] Is a directory: 'FILE'"


def test_the_kill_switch_may_leave_networks_open(written: Written) -> None:
    """None by itself; and without the switch, somebody may think that there is one."""
    assert load(written(REQUIRED)).kill_switch is False
    said = f'{REQUIRED}kill_switch_allow = ["192.168.0.0/16", "fe80::/10"]\n'

    assert load(written(f"{said}kill_switch = true\n")).kill_switch_allow == ("192.168.0.0/16", "fe80::/10")
    assert refusal(written(said)) == "FILE:\n  kill_switch_allow: is for kill_switch = true only"


def test_the_kill_switch_may_be_told_what_to_bar_before_the_first_peer_set(written: Written) -> None:
    """Everything by itself; nothing, too, if that is meant."""
    assert load(written(f"{REQUIRED}kill_switch = true\n")).kill_switch_first == ("0.0.0.0/0", "::/0")
    assert load(written(f"{REQUIRED}kill_switch = true\nkill_switch_first = []\n")).kill_switch_first == ()
    said = f'{REQUIRED}kill_switch_first = ["10.0.0.0/8"]\n'
    assert refusal(written(said)) == "FILE:\n  kill_switch_first: is for kill_switch = true only"


def test_a_network_that_is_none_is_refused(written: Written) -> None:
    """With what would be right; an address within one was perhaps meant as one."""
    said = f'{REQUIRED}kill_switch = true\nkill_switch_allow = ["192.168.1.7/16"]\n'

    assert refusal(written(said)) == (
        "FILE:\n  kill_switch_allow: is ['192.168.1.7/16']: 192.168.1.7/16 has host bits set: networks were expected, "
        "as 192.168.0.0/16"
    )


def test_restarting_is_refused_without_a_word_on_what_goes_out_meanwhile(written: Written) -> None:
    """And with the other layout; and what belongs to it, without it."""
    assert refusal(written(f'{REQUIRED}apply = "restart"\n')) == (
        'FILE:\n  kill_switch: is missing, with apply = "restart": between down and up traffic goes out in clear; true '
        "holds it back, false lets it"
    )
    assert refusal(written(f'{REQUIRED}restart_command = ["true"]\n')) == (
        'FILE:\n  restart_command: is for apply = "restart" only'
    )
    both = 'apply = "restart"\nkill_switch = true\nlayout = "per-worker"\nprivate_key_file = "k"\naddresses = ["10.0.0.1"]'
    assert "apply: is 'restart': with layout" in refusal(written(f"{REQUIRED}{both}\n"))
