"""The signed document as a retained message: whoever subscribes has the newest at once, and each that follows."""

import asyncio
import base64
import contextlib
import json
import logging
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from failover_receiver import tls
from failover_receiver.publishing.places import MQTT_PORTS, Mqtt
from failover_receiver.publishing.publisher import Publisher, PublishingError
from failover_receiver.settings import ConfigurationError
from failover_receiver.store import Document
from wgfleet.files import read_secret
from wgfleet.logs import say
from wgfleet.peerset import PeerSet

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
"""For each of the broker's answers."""
CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 10
"""A broker that is cut off is noticed after at most two of these, though nothing is published."""
AT_LEAST_ONCE = 1
"""Quality of service: the broker says that it has it."""
HUNG_UP_MOST = 3
"""Some brokers do, on whoever asks for what it may not read: such a one is published to without looking."""
OVERWRITTEN_SECONDS = 1.0
"""Until an older document under the topic is replaced: whoever wrote it may be about to do so, or writes all the time."""


class MqttPublisher(Publisher):
    """Holds a connection to the broker, so that one that was restarted, and has forgotten, is noticed."""

    name = "mqtt"

    def __init__(self, place: Mqtt, fleet: str) -> None:
        """Read the files of TLS, and see that the password is there. Raises ConfigurationError."""
        self._place = place
        self._topic = f"{place.topic_prefix}/{fleet}/peer-set"
        secure = place.url.startswith("mqtts:")
        self._tls = tls.context("mqtt.", place.ca_file, place.cert_file, place.key_file) if secure else None
        try:
            self._password()
        except ValueError as error:
            raise ConfigurationError(f"mqtt.password_file: {error}") from None
        self._ours: Document | None = None
        self._there = b""
        """What the topic has, as far as it is known."""
        self._hung_up = 0
        """Times that the broker did, when it was asked for the topic."""
        self._connection: _Connection | None = None
        self._watching: asyncio.Task[None] | None = None
        self._broken = asyncio.Event()

    async def publish(self, document: Document, peer_set: PeerSet) -> None:  # noqa: ARG002 - The interface's.
        """Return when the broker has said that it has it."""
        try:
            connection = self._connection or await self._connect()
            await connection.retain(self._topic, document.body)
            self._ours, self._there = document, document.body
            await self._look_at_topic(connection)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            await self._let_go()
            raise PublishingError(f"{self._place.url}: {str(error) or type(error).__name__}") from None
        except BaseException:
            await self._let_go()
            raise

    async def lost(self) -> None:
        """When the connection broke, and the broker may have kept nothing; or somebody put an older document there."""
        await self._broken.wait()
        self._broken.clear()

    async def close(self) -> None:
        """Say goodbye."""
        await self._let_go()

    async def _connect(self) -> "_Connection":
        where = urlsplit(self._place.url)
        connection = _Connection(
            where.hostname or "",
            where.port or MQTT_PORTS[where.scheme],
            username=self._place.username,
            password=self._password(),
            protocol=aiomqtt.ProtocolVersion.V5,  # Older ones cannot say that we may not publish there.
            tls_context=self._tls,
            timeout=ANSWER_SECONDS,
            keepalive=KEEPALIVE_SECONDS,
        )
        connection.limit(CONNECT_SECONDS)
        try:
            await connection.__aenter__()
        except BaseException:
            connection.end()
            raise
        self._connection = connection
        self._watching = asyncio.create_task(self._watch(connection))
        return connection

    async def _look_at_topic(self, connection: "_Connection") -> None:
        """Hear what others publish there: of several receivers, one that was frozen or died may have been late."""
        if self._hung_up >= HUNG_UP_MOST or connection.reads:
            return
        connection.reads = True
        try:
            await connection.subscribe(self._topic, options=SubscribeOptions(qos=AT_LEAST_ONCE, noLocal=True))
        except aiomqtt.MqttError:
            self._hung_up += connection.is_broken

    def _look(self) -> None:
        if self._ours is not None and _is_to_go(self._there, self._ours):
            say(log, "topic overwritten by an older document, or none of ours", level=logging.WARNING,
                broker=self._place.url)  # fmt: skip
            self._broken.set()

    async def _watch(self, connection: "_Connection") -> None:
        try:
            async for message in connection.messages:
                self._there = message.payload
                if self._ours is not None and _is_to_go(self._there, self._ours):
                    asyncio.get_running_loop().call_later(OVERWRITTEN_SECONDS, self._look)
        except aiomqtt.MqttError:
            if self._connection is connection:
                say(log, "broker lost", level=logging.WARNING, broker=self._place.url)
                self._connection = None
                self._broken.set()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if self._watching is not None:
            self._watching.cancel()
        if connection is not None:
            with contextlib.suppress(aiomqtt.MqttError, OSError):
                await connection.__aexit__(None, None, None)
            connection.end()

    def _password(self) -> str | None:
        return (
            None
            if self._place.password_file is None
            else read_secret(self._place.password_file, what="password")
        )


def _is_to_go(there: bytes, ours: Document) -> bool:
    """Whether what is there is older than ours, or nothing that can be read; a newer one is another receiver's."""
    if there == ours.body:
        return False
    try:
        payload = there.split(b".")[1]
        said = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        number = int(said["epoch"]), int(said["generation"])
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return True
    return (
        number < ours.number
    )  # Of two with the same number neither must give way, or they would take turns.


class _Connection(aiomqtt.Client):
    """aiomqtt's own, which hears whether the broker took what it acknowledged."""

    reads = False
    """It hears what the topic has."""
    _refused: ReasonCode | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it has ended by itself."""
        return self._disconnected.done()

    async def retain(self, topic: str, body: bytes) -> None:
        self._refused = None
        await self.publish(topic, body, qos=AT_LEAST_ONCE, retain=True)
        if self._refused is not None:
            raise PublishingError(
                f"the broker refused to take {topic}: {self._refused}; may the receiver write there?"
            )

    def limit(self, seconds: float) -> None:
        """For the connection alone, which a thread waits for that nobody can call back."""
        self._client.connect_timeout = seconds

    def end(self) -> None:
        """Close the socket of a connection that was given up: the library would leave it open."""
        self._client.disconnect()
        if self._disconnected.done():
            self._disconnected.exception()  # Was heard otherwise; asyncio would complain that nobody looked.

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any
    ) -> None:
        if reason_code.is_failure:
            self._refused = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)
