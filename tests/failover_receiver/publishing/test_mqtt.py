"""Tests of failover_receiver/publishing/mqtt.py on a real mosquitto."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from failover_receiver.publishing import PublishingError, mqtt, runner
from failover_receiver.publishing.mqtt import MqttPublisher
from failover_receiver.publishing.places import Mqtt
from failover_receiver.settings import ConfigurationError
from tests.failover_receiver.parts import FLEET
from tests.failover_receiver.publishing.broker import PASSWORD, USER, Broker, subscribed
from tests.failover_receiver.publishing.driven import run
from tests.failover_receiver.publishing.recording import Recording, document, said
from wgfleet.signing import Signer

pytestmark = pytest.mark.anyio
TOPIC = f"wgfleet/{FLEET}/peer-set"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """One that lets everybody in."""
    with Broker(tmp_path) as up:
        yield up


@asynccontextmanager
async def publishing(place: Mqtt) -> AsyncIterator[MqttPublisher]:
    """A publisher that is closed in the end."""
    publisher = MqttPublisher(place, FLEET)
    yield publisher
    await publisher.close()


async def test_the_newest_document_is_retained(broker: Broker) -> None:
    """Who subscribes later has it at once, to the last byte, and who is there gets each that follows."""
    async with publishing(Mqtt(url=broker.url)) as publisher:
        await publisher.publish(document(1), said(1))

        async with subscribed(broker, TOPIC) as subscriber:
            assert await subscriber.next() == document(1).body
            await publisher.publish(document(2), said(2))
            assert await subscriber.next() == document(2).body


async def test_the_topic_begins_as_the_operator_says(broker: Broker) -> None:
    """A broker has others' topics, too."""
    async with publishing(Mqtt(url=broker.url, topic_prefix="sites/north")) as publisher:
        await publisher.publish(document(1), said(1))

    async with subscribed(broker, f"sites/north/{FLEET}/peer-set") as subscriber:
        assert await subscriber.next() == document(1).body


async def test_a_broker_that_wants_a_certificate_and_a_password_gets_them(tmp_path: Path) -> None:
    """And its own certificate must be by the operator's authority."""
    (tmp_path / "password").write_text(PASSWORD)
    with Broker(tmp_path, tls=True, password=True) as broker:
        certificate, key = broker.client
        place = Mqtt(url=broker.url, ca_file=broker.ca_file, cert_file=certificate, key_file=key, username=USER,
                     password_file=tmp_path / "password")  # fmt: skip

        async with publishing(place) as publisher:
            await publisher.publish(document(1), said(1))


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho lets the socket go unclosed.
async def test_a_broker_with_another_authoritys_certificate_is_refused(tmp_path: Path) -> None:
    """It may be anybody."""
    with Broker(tmp_path, tls=True) as broker:
        async with publishing(Mqtt(url=broker.url)) as publisher:
            with pytest.raises(
                PublishingError, match=r"mqtts://127\.0\.0\.1:\d+: .*certificate verify failed"
            ):
                await publisher.publish(document(1), said(1))


async def test_a_wrong_password_is_said_without_it(tmp_path: Path) -> None:
    """The broker's own word, and nothing of the secret."""
    (tmp_path / "password").write_text("wrong-hunter3")
    with Broker(tmp_path, password=True) as broker:
        place = Mqtt(url=broker.url, username=USER, password_file=tmp_path / "password")
        async with publishing(place) as publisher:
            with pytest.raises(PublishingError, match="Not authorized") as caught:
                await publisher.publish(document(1), said(1))

    assert "hunter3" not in str(caught.value)


async def test_a_topic_that_may_not_be_written_is_a_failure(tmp_path: Path) -> None:
    """Older protocols would call it a success."""
    with Broker(tmp_path, readers_only=True) as broker:
        async with publishing(Mqtt(url=broker.url)) as publisher:
            with pytest.raises(
                PublishingError, match="refused to take wgfleet/test/peer-set: Not authorized"
            ):
                await publisher.publish(document(1), said(1))


async def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    """With the address, which is no secret."""
    broker = Broker(tmp_path)

    async with publishing(Mqtt(url=broker.url)) as publisher:
        with pytest.raises(PublishingError, match=f"{broker.url}: .*Connection refused"):
            await publisher.publish(document(1), said(1))


async def test_a_password_file_that_is_not_there_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    """It is said at the start."""
    place = Mqtt(url="mqtt://127.0.0.1", username=USER, password_file=tmp_path / "nowhere")

    with pytest.raises(ConfigurationError, match=r"mqtt\.password_file: .*nowhere is not there"):
        MqttPublisher(place, FLEET)


async def test_a_broker_that_was_killed_gets_the_newest_document_alone_when_it_is_back(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself, and nobody else waited meanwhile."""
    monkeypatch.setattr(runner, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(runner, "LONGEST_WAIT_SECONDS", 0.05)
    publisher, other = MqttPublisher(Mqtt(url=broker.url), FLEET), Recording("other")

    async with run(publisher, other) as running:
        running.show(1)
        await running.until(lambda: running.value("generation", "mqtt") == 1)
        broker.kill()
        await running.until(lambda: running.value("up", "mqtt") == 0)
        running.show(2)
        await other.until_published(1, 2)
        running.show(3)
        await other.until_published(1, 2, 3)
        assert running.value("behind_seconds", "mqtt") != 0

        await asyncio.to_thread(broker.start)
        await running.until(lambda: running.value("up", "mqtt") == 1)

        async with subscribed(broker, TOPIC) as subscriber:
            assert await subscriber.next() == document(3).body
        assert running.value("behind_seconds", "mqtt") == 0


async def test_a_broker_that_has_forgotten_is_told_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing new is to be said."""
    monkeypatch.setattr(runner, "FIRST_WAIT_SECONDS", 0.01)
    async with run(MqttPublisher(Mqtt(url=broker.url), FLEET)) as running:
        running.show(1)
        await running.until(lambda: running.value("up", "mqtt") == 1)

        broker.kill()
        await running.until(lambda: running.value("up", "mqtt") == 0)
        await asyncio.to_thread(broker.start)

        async with subscribed(broker, TOPIC) as subscriber:
            assert await subscriber.next() == document(1).body


async def test_a_broker_that_stands_still_is_given_up_and_caught_up_with(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections, or rather the kernel does, and says nothing."""
    monkeypatch.setattr(runner, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 0.2)
    async with run(MqttPublisher(Mqtt(url=broker.url), FLEET)) as running:
        running.show(1)
        await running.until(lambda: running.value("generation", "mqtt") == 1)

        with broker.frozen():
            running.show(2)
            await running.until(lambda: (running.value("failures_total", "mqtt") or 0) >= 2)
        await running.until(lambda: running.value("generation", "mqtt") == 2)

        async with subscribed(broker, TOPIC) as subscriber:
            assert await subscriber.next() == document(2).body


async def test_an_older_document_that_somebody_puts_there_is_replaced(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another receiver, which was frozen while it published; or whoever writes rubbish."""
    monkeypatch.setattr(mqtt, "OVERWRITTEN_SECONDS", 0.01)
    async with run(MqttPublisher(Mqtt(url=broker.url), FLEET)) as running:
        running.show(2)
        await running.until(lambda: running.value("generation", "mqtt") == 2)
        async with subscribed(broker, TOPIC) as subscriber, aiomqtt.Client("127.0.0.1", broker.port) as other:
            assert await subscriber.next() == document(2).body
            for body in (document(1).body, b"rubbish"):
                await other.publish(TOPIC, body, qos=1, retain=True)
                assert await subscriber.next() == body
                assert await subscriber.next() == document(2).body


def test_only_what_is_older_is_replaced() -> None:
    """A newer one is another receiver's; and of two with one number neither gives way, or both would for ever."""
    ours = document(2)
    other = Signer.generate().sign(said(2).to_bytes())

    assert [mqtt._is_to_go(there, ours) for there in (document(1).body, b"", b"a.b.c", b"a.W10.c")] == [
        True
    ] * 4
    assert [mqtt._is_to_go(there, ours) for there in (ours.body, document(3).body, other)] == [False] * 3
