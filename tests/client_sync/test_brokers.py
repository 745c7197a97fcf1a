"""Tests of client_sync/brokers.py: the table [mqtt] of sync.toml, and the exact text of every refusal."""

from pathlib import Path

import pytest

from client_sync.brokers import Broker
from client_sync.config import ConfigurationError, load
from tests.client_sync.test_config import KEY, REQUIRED

ALONE = f"""\
fleet = "example"
name = "laptop-1"
interface = "wg0"
trusted_keys = ["{KEY}"]
"""


def written(directory: Path, text: str) -> Path:
    """The file."""
    file = directory / "sync.toml"
    file.write_text(text)
    return file


def test_a_broker_alone_needs_neither_receivers_nor_a_token(tmp_path: Path) -> None:
    """What it gives is signed."""
    config = load(written(tmp_path, f'{ALONE}[mqtt]\nurl = "mqtts://broker.example.com/"\n'))

    assert (config.receivers, config.mqtt) == ((), Broker("mqtts://broker.example.com"))
    assert config.mqtt is not None
    assert (config.mqtt.address, config.mqtt.is_secure) == (("broker.example.com", 8883), True)


def test_receivers_beside_a_broker_need_their_token(tmp_path: Path) -> None:
    """Both, or neither."""
    text = f'{ALONE}receivers = ["https://a"]\n[mqtt]\nurl = "mqtt://b"\n'

    with pytest.raises(ConfigurationError, match=r"sync.toml:\n  token_file: is missing$"):
        load(written(tmp_path, text))


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Relative paths count from the file's folder, absolute ones stay."""
    said = """[mqtt]
url = "mqtts://[2001:db8::1]:1234"
topic = "sites/north/example/peer-set"
ca_file = "/etc/ssl/own.pem"
cert_file = "client.pem"
key_file = "client.key"
username = "laptop-1"
password_file = "password"
"""

    config = load(written(tmp_path, REQUIRED + said))

    assert config.mqtt == Broker(
        url="mqtts://[2001:db8::1]:1234",
        topic="sites/north/example/peer-set",
        ca_file=Path("/etc/ssl/own.pem"),
        cert_file=tmp_path / "client.pem",
        key_file=tmp_path / "client.key",
        username="laptop-1",
        password_file=tmp_path / "password",
    )
    assert config.mqtt.address == ("2001:db8::1", 1234)


NO_URL = "a broker's URL was expected, without user or password: as mqtts://broker.example.com:8883"


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("", "url is missing"),
        ('url = "https://b"', f"url: {NO_URL}"),
        ('url = "mqtts://me:hunter2@b"', f"url: {NO_URL}"),
        ('url = "mqtts://b/topic"', f"url: {NO_URL}"),
        ('url = "mqtts://b:99999"', f"url: {NO_URL}"),
        (
            'url = "mqtts://b"\npassword = "hunter2"',
            "password: there is no such key; known are ca_file, cert_file, key_file, password_file, topic, url, username",
        ),
        ('url = "mqtts://b"\ntopic = "a/#"', "topic: one topic was expected, as wgfleet/example/peer-set"),
        (
            'url = "mqtts://b"\ncert_file = "c"',
            "cert_file and key_file: a client certificate is a certificate and its key",
        ),
        ('url = "mqtts://b"\npassword_file = "p"', "username: is missing, with password_file"),
        ('url = "mqtt://b"\nca_file = "p"', "url: files for TLS are said, so mqtts:// was expected"),
        ("url = 7\ntopic = true", "url: a text was expected; topic: a text was expected"),
    ],
)
def test_a_fault_is_told_and_no_secret_repeated(tmp_path: Path, table: str, fault: str) -> None:
    """By the key that it is of."""
    file = written(tmp_path, f"{REQUIRED}[mqtt]\n{table}\n")

    with pytest.raises(ConfigurationError) as caught:
        load(file)

    assert str(caught.value) == f"{file}:\n  mqtt: {fault}"


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    """With how to say it."""
    with pytest.raises(ConfigurationError, match=r"mqtt: a table was expected: \[mqtt\]"):
        load(written(tmp_path, f'{REQUIRED}mqtt = "mqtts://b"\n'))


def test_a_worker_follows_no_broker(tmp_path: Path) -> None:
    """The client list is not published there."""
    with pytest.raises(ConfigurationError, match="mqtt: is for the role client, and this is a worker"):
        load(written(tmp_path, f'{REQUIRED}role = "worker"\n[mqtt]\nurl = "mqtts://b"\n'))
