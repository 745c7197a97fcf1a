"""Tests of failover_receiver/settings.py: what a configuration may say, and each fault in its words."""

from pathlib import Path

import pytest

from failover_receiver.settings import ConfigurationError, Settings, check_readable, load
from failover_receiver.state import Policy
from failover_receiver.store.dsn import Dsn

LEAST = 'fleet = "test"\nstore = "receiver.db"\nsigning_key_file = "signing.key"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the configuration stands."""
    return tmp_path / "receiver.toml"


def faults(file: Path, text: str) -> str:
    """The text of the error that this configuration is refused with."""
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    return str(caught.value)


def test_the_least_that_must_be_said(file: Path) -> None:
    """Everything else has a value that is right for most; files are beside the configuration."""
    file.write_text(LEAST)

    settings = load(file)

    assert settings == Settings(
        fleet="test", store=file.parent / "receiver.db", signing_key_file=file.parent / "signing.key"
    )
    assert (settings.listen_address, settings.listen_port) == ("127.0.0.1", 9587)
    assert settings.alertmanagers == ["http://127.0.0.1:9093"]
    assert settings.open_health is False
    assert settings.policy == Policy()


def test_every_number_of_a_decision_comes_from_the_configuration(file: Path) -> None:
    """Nothing that is said is lost on the way."""
    said = (
        "probe_interval = 5\nhold_down = 10\nhold_down_factor = 3\nhold_down_max = 100\n"
        "least_serving = 0.25\nfresh_for = 60\n"
    )
    file.write_text(LEAST + said)

    assert load(file).policy == Policy(
        probe_interval=5.0,
        hold_down=10.0,
        hold_down_factor=3.0,
        hold_down_max=100.0,
        least_serving=0.25,
        fresh_for=60.0,
    )


def test_a_hold_down_beyond_its_limit_is_meant_as_it_is_said(file: Path) -> None:
    """The limit is for what repetition adds."""
    file.write_text(LEAST + "hold_down = 900\n")

    assert load(file).policy.hold_down_max == 900.0


def test_absolute_paths_stay_as_they_are(file: Path) -> None:
    """And relative ones count from the configuration, wherever the receiver was started."""
    file.write_text(
        'fleet = "test"\nstore = "/srv/receiver.db"\nsigning_key_file = "keys/signing.key"\n'
        'tls_certificate_file = "tls.pem"\ntls_key_file = "/etc/tls.key"\n'
    )

    settings = load(file)

    assert settings.store == Path("/srv/receiver.db")
    assert settings.signing_key_file == file.parent / "keys" / "signing.key"
    assert settings.tls_certificate_file == file.parent / "tls.pem"
    assert settings.tls_key_file == Path("/etc/tls.key")


@pytest.mark.parametrize("key", ["tls_certificate_file", "tls_key_file"])
def test_a_tls_file_that_cannot_be_read_is_told_by_name(file: Path, key: str) -> None:
    """The server's own error would not say which."""
    file.write_text(f'{LEAST}{key} = "nowhere/tls.pem"\n')
    settings = load(file)

    with pytest.raises(ConfigurationError) as caught:
        check_readable(settings)

    assert str(caught.value) == (
        f"{key}: {file.parent}/nowhere/tls.pem cannot be read: No such file or directory; "
        "is it there, and this user's to read?"
    )


def test_tls_files_that_can_be_read_are_no_fault(file: Path) -> None:
    """Nor is it to have none."""
    file.write_text(LEAST)
    check_readable(load(file))

    file.write_text(LEAST + 'tls_certificate_file = "receiver.toml"\ntls_key_file = "receiver.toml"\n')
    check_readable(load(file))


def test_all_faults_are_told_at_once(file: Path) -> None:
    """Each key with its value and what would be right; a misspelt one with those there are."""
    text = (
        'fleet = "My Fleet"\nlisten_port = 70000\nhold_dwon = 30\nleast_serving = 1.5\n'
        'probe_interval = 0\nhold_down = "long"\nopen_health = "perhaps"\nalertmanagers = "http://one"\n'
    )

    assert faults(file, text) == (
        f"{file}:\n"
        "  fleet: is 'My Fleet': 'My Fleet' is not a name: "
        "lower-case letters, digits and inner hyphens, 1 to 63 of them\n"
        "  listen_port: is 70000: 65535 or less was expected\n"
        "  store: is missing\n"
        "  signing_key_file: is missing\n"
        "  alertmanagers: is 'http://one': a list was expected\n"
        "  open_health: is 'perhaps': true or false was expected\n"
        "  probe_interval: is 0: more than 0 was expected\n"
        "  hold_down: is 'long': a number was expected\n"
        "  least_serving: is 1.5: 1 or less was expected\n"
        f"  hold_dwon: there is no such key; known are {', '.join(sorted(Settings.model_fields))}"
    )


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-1", "86401"])
def test_a_time_that_is_none_is_refused(file: Path, number: str) -> None:
    """TOML can say nan and inf; a deadline cannot be there."""
    assert "hold_down: is " in faults(file, f"{LEAST}hold_down = {number}\n")


@pytest.mark.parametrize("number", ["nan", "-0.1", "1.1"])
def test_a_part_that_is_none_is_refused(file: Path, number: str) -> None:
    """The panic limit is between nothing and everything."""
    assert "least_serving: is " in faults(file, f"{LEAST}least_serving = {number}\n")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9093", "ftp://127.0.0.1", "http://", "http://[::1", "http://am:port"]
)
def test_an_alertmanager_that_is_no_url_is_refused(file: Path, url: str) -> None:
    """Or the sure way would fail every three seconds, and nobody would look."""
    said = faults(file, f'{LEAST}alertmanagers = ["{url}"]\n')

    fault = f"alertmanagers.0: is {url!r}: not a URL: as http://127.0.0.1:9093"
    assert said == f"{file}:\n  {fault}"


@pytest.mark.parametrize("proxy", ["proxy.example", "10.0.0.1/24", "*", ""])
def test_a_proxy_that_is_no_address_is_refused(file: Path, proxy: str) -> None:
    """Or everybody behind it would be taken for one, or anybody for a proxy."""
    said = faults(file, f'{LEAST}trusted_proxies = ["10.0.0.1", "fd00::/8", "{proxy}"]\n')

    fault = f"is {proxy!r}: not an address or a network: as 127.0.0.1 or 10.0.0.0/24"
    assert said == f"{file}:\n  trusted_proxies.2: {fault}"


def test_an_alertmanagers_password_is_refused_and_not_repeated(file: Path) -> None:
    """It would stand in the log and in a metric's label."""
    said = faults(file, f'{LEAST}alertmanagers = ["http://prometheus:hunter2@am:9093"]\n')

    assert said == f"{file}:\n  alertmanagers.0: holds a password, which would be logged"


def test_a_slash_at_the_end_of_an_alertmanager_means_nothing(file: Path) -> None:
    """Copied from a browser; a path before it is kept."""
    file.write_text(LEAST + 'alertmanagers = ["http://am:9093/", "https://example.org/am/"]\n')

    assert load(file).alertmanagers == ["http://am:9093", "https://example.org/am"]


def test_a_file_that_is_not_there_says_how_to_make_one(file: Path) -> None:
    """The first thing that anybody meets."""
    with pytest.raises(ConfigurationError) as caught:
        load(file)

    assert str(caught.value) == f"{file} is not there: `wgfleet-receiver init` makes one"


def test_a_file_that_is_no_toml_says_where(file: Path) -> None:
    """Line and column."""
    said = faults(file, 'fleet = "test\n')

    assert said.startswith(f"{file} cannot be read: ")
    assert "line 1" in said


def test_a_key_that_stands_twice_is_named_with_both_lines(file: Path) -> None:
    """And neither value is quoted."""
    said = faults(file, 'fleet = "test"\n\nfleet = "other"\n')

    assert said == f"{file} cannot be read: fleet stands twice, in lines 1 and 3: take one of them away"


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    """And not quoted: it may be the store, or a key."""
    file.write_bytes(b"\xff\xfe\x00secret")

    with pytest.raises(ConfigurationError, match="cannot be read: 'utf-8' codec can't decode") as caught:
        load(file)

    assert "secret" not in str(caught.value)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    """The path was cut short."""
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*Is a directory"):
        load(tmp_path)


def test_pools_and_urls_are_taken_in_one_form(file: Path) -> None:
    """Networks as wg writes them, URLs without a slash at the end."""
    file.write_text(
        f'{LEAST}client_pools = ["10.99.0.0/16", "FD99:0::/64"]\npublic_urls = ["https://vpn.example.com/"]\n'
    )

    settings = load(file)

    assert settings.client_pools == ["10.99.0.0/16", "fd99::/64"]
    assert settings.public_urls == ["https://vpn.example.com"]


def test_pools_that_overlap_are_refused(file: Path) -> None:
    """Or one address would be given twice."""
    said = faults(file, f'{LEAST}client_pools = ["10.99.0.0/16", "fd99::/64", "10.99.7.0/24"]\n')

    assert said.endswith("10.99.7.0/24 overlaps with 10.99.0.0/16: each address is given from one network")


def test_a_pool_that_is_none_is_refused(file: Path) -> None:
    """With what would be right."""
    assert "'10.99.0.1/16' is not a network" in faults(file, f'{LEAST}client_pools = ["10.99.0.1/16"]\n')


def test_shared_pools_are_none_of_the_clients(file: Path) -> None:
    """Workers tell by the address which interface a client is a peer of."""
    said = faults(
        file,
        f"""{LEAST}client_pools = ["10.0.0.0/8"]
[shared]
public_key = "{"A" * 42}E="
endpoint = "vpn.example.com:51821"
pools = ["10.98.0.0/16"]
tunnel_addresses = ["10.98.0.1"]
""",
    )

    assert said.endswith("10.98.0.0/16 overlaps with 10.0.0.0/8: each address is given from one network")


def test_what_is_shared_may_be_said_with_little(file: Path) -> None:
    """Full tunnel, both families: a device's IPv6 does not leave in clear."""
    key = f"{'A' * 42}E="
    file.write_text(
        f'{LEAST}[shared]\npublic_key = "{key}"\nendpoint = "vpn.example.com:51821"\n'
        'pools = ["10.98.0.0/16"]\ntunnel_addresses = ["10.98.0.1"]\n'
    )

    shared = load(file).shared

    assert shared is not None
    assert (shared.endpoint, shared.allowed_ips) == ("vpn.example.com:51821", ("0.0.0.0/0", "::/0"))


def test_a_store_may_be_a_postgresql(file: Path) -> None:
    """Several receivers share it; what is shown of it has no password."""
    file.write_text(LEAST.replace('"receiver.db"', '"postgresql://me:hush@db.example/fleet"'))

    settings = load(file)

    assert isinstance(settings.store, Dsn)
    assert str(settings.store) == "postgresql://me@db.example/fleet"
    assert "hush" not in repr(settings)
    with pytest.raises(
        ConfigurationError, match=r"^store: is postgresql://me@db.example/fleet, and this is for"
    ):
        _ = settings.store_file


def test_a_uri_that_is_none_is_refused_unquoted(file: Path) -> None:
    """There may be a password in it."""
    said = faults(file, LEAST.replace('"receiver.db"', '"postgresql://me:hush@[::1/fleet"'))

    assert (
        "store: not a connection URI of PostgreSQL: as postgresql://wgfleet@db.example:5432/wgfleet" in said
    )
    assert "hush" not in said
