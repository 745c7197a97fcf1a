"""Tests of failover_receiver/publishing/configured.py and places.py: which publishers a file names, and its faults."""

import subprocess
import sys
from pathlib import Path

import pytest

from failover_receiver.publishing.configured import configured
from failover_receiver.settings import ConfigurationError, load
from tests.failover_receiver.test_settings import LEAST

pytestmark = pytest.mark.anyio

ALL = """
[mqtt]
url = "mqtt://broker.example.com"

[[webhooks]]
name = "chat"
url = "https://chat.example.com/hook"
secret_file = "secret"

[file]
path = "public/peer-set.jws"

[[uploads]]
name = "bucket"
url = "https://bucket.example.com/peer-set.jws"
headers_file = "headers"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """With the files that are named."""
    (tmp_path / "secret").write_text(f"whsec_{'A' * 40}")
    (tmp_path / "headers").write_text("Authorization: Bearer one")
    return tmp_path


def configuration(directory: Path, text: str) -> Path:
    """A file that says this beside what it must."""
    path = directory / "receiver.toml"
    path.write_text(LEAST + text)
    return path


async def test_each_table_is_a_publisher_of_its_name(directory: Path) -> None:
    """Relative paths count from the configuration's folder, in tables too."""
    settings = load(configuration(directory, ALL))

    publishers = configured(settings)

    assert [one.name for one in publishers] == ["mqtt", "webhook:chat", "file", "upload:bucket"]
    assert settings.file is not None
    assert settings.file.path == directory / "public" / "peer-set.jws"
    assert settings.webhooks[0].secret_file == directory / "secret"
    for publisher in publishers:
        await publisher.close()


async def test_nothing_named_is_nothing_published(directory: Path) -> None:
    """As it is by default."""
    assert configured(load(configuration(directory, ""))) == []


async def test_two_of_one_name_are_refused(directory: Path) -> None:
    """They would be one in the metrics."""
    twice = '[[uploads]]\nname = "a"\nurl = "http://127.0.0.1"\n' * 2

    with pytest.raises(
        ConfigurationError, match=r"^uploads: two are named 'a': choose another name for one$"
    ):
        configured(load(configuration(directory, twice)))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[mqtt]\nurl = "http://broker"', "mqtt.url: is 'http://broker': Value error, not a URL: as mqtts://broker"),
        ('[mqtt]\nurl = "mqtt://b/x"', "a broker's URL has no path: the topic begins with topic_prefix"),
        ('[mqtt]\nurl = "mqtt://me:hunter2@b"', "mqtt.url: holds a password, which would be logged"),
        ('[mqtt]\nurl = "mqtt://b"\nca_file = "ca"', "mqtt: url: files for TLS are said, so mqtts:// was expected"),
        ('[mqtt]\nurl = "mqtt://b"\npassword_file = "p"', "mqtt: username: is missing, with password_file"),
        ('[mqtt]\nurl = "mqtt://b"\ntopic_prefix = "a/#"', "mqtt.topic_prefix: is 'a/#': Value error, not the begin of"),
        ('[mqtt]\nurl = "mqtt://b"\nqos = 2', "mqtt.qos: there is no such key; known are ca_file, cert_file, key_file,"),
        ('[[webhooks]]\nname = "a"\nsecret_file = "s"', "webhooks.0: one of url and url_file was expected"),
        ('[[webhooks]]\nname = "A"\nurl = "https://a"', "webhooks.0.name: is 'A'"),
        ("[file]", "file.path: is missing"),
        ('[[uploads]]\nname = "a"\nurl = "ftp://a"', "uploads.0.url: is 'ftp://a': Value error, not a URL: as https://"),
    ],
)  # fmt: skip
def test_a_fault_in_a_table_is_told_by_its_key(directory: Path, text: str, fault: str) -> None:
    """With its value and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        load(configuration(directory, text))

    assert fault in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_library_that_is_not_installed_is_said(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how to install it."""
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    monkeypatch.delitem(sys.modules, "failover_receiver.publishing.mqtt", raising=False)

    with pytest.raises(ConfigurationError, match="the package aiomqtt is not installed here"):
        configured(load(configuration(directory, '[mqtt]\nurl = "mqtt://b"')))


def test_a_receiver_that_publishes_nowhere_has_no_brokers_library_in_memory() -> None:
    """It costs some MiB, and none needs it."""
    said = subprocess.run(
        [sys.executable, "-c", "import failover_receiver.__main__, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert {"aiomqtt", "paho"} & set(said.stdout.split()) == set()
