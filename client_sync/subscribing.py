"""Follows an MQTT broker: the document that it retains, and each that follows. Imported only where one is configured.

The connection is a control connection as the receivers' is (control.py): its socket is opened there, and carries the firewall
mark before it connects. The library takes it as it is.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiomqtt
import httpcore

from client_sync.brokers import Broker
from client_sync.control import MarkedBackend
from client_sync.feed import FIRST_SECONDS, new_pauses
from client_sync.polling import MOST_BYTES
from wgfleet.cancelling import heed_cancellation
from wgfleet.files import read_secret
from wgfleet.logs import say
from wgfleet.outages import Outages

log = logging.getLogger(__name__)

KEEPALIVE_SECONDS = 15
"""One that is silent for two of these is gone."""
ANSWER_SECONDS = 10.0
"""For each of the broker's answers."""
AT_LEAST_ONCE = 1


class Subscription:
    """One topic of one broker."""

    def __init__(self, broker: Broker, topic: str, backend: MarkedBackend) -> None:
        """Read its files. Raises ValueError for one that cannot be used."""
        self.url = broker.url
        self.followed = asyncio.Event()
        """Set while it is followed, and has given a document."""
        self.lost = asyncio.Event()
        """Set while it is not."""
        self.lost.set()
        self._broker = broker
        self._topic = topic
        self._backend = backend
        self._outages = Outages()
        self._tls = _context(broker) if broker.is_secure else None
        self._password()  # A missing one is said now, and not with every connection.

    async def documents(self) -> AsyncIterator[bytes]:
        """Every document, as sent; never ends by itself."""
        pauses = new_pauses()
        while True:
            try:
                async for document in self._heard():
                    pauses.begin_again()
                    yield document
            except (aiomqtt.MqttError, httpcore.ConnectError, OSError, ValueError) as error:
                self._say_lost(str(error) or type(error).__name__)
            finally:
                self.followed.clear()
                self.lost.set()
            heed_cancellation()
            await asyncio.sleep(pauses.next())

    async def _heard(self) -> AsyncIterator[bytes]:
        """What comes, until the connection ends, which raises."""
        host, port = self._broker.address
        connection = _Connection(
            await self._backend.connected(host, port),
            host,
            port,
            username=self._broker.username,
            password=self._password(),
            tls_context=self._tls,
            timeout=ANSWER_SECONDS,
            keepalive=KEEPALIVE_SECONDS,
        )
        try:
            async with connection:
                await connection.subscribe(self._topic, qos=AT_LEAST_ONCE)
                heed_cancellation()  # Swallowed by one that succeeded, it would be followed for ever.
                messages = connection.messages
                yield self._taken(await self._first(messages))
                async for message in messages:
                    yield self._taken(message)
        finally:
            connection.end()

    async def _first(self, messages: aiomqtt.client.MessagesIterator) -> aiomqtt.Message:
        """What it retains."""
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                return await anext(messages)
        except TimeoutError:
            raise ValueError(
                f"it has nothing under {self._topic}: does the receiver publish there, and may this client read it?"
            ) from None

    def _taken(self, message: aiomqtt.Message) -> bytes:
        body = message.payload
        if not 0 < len(body) <= MOST_BYTES:
            raise ValueError(f"what it has under {self._topic} is no document")
        if not self.followed.is_set():
            self.lost.clear()
            self.followed.set()
            away = self._outages.reached(self.url, asyncio.get_running_loop().time())
            say(log, "following", receiver=self.url, by="broker", away_seconds=away)
        return body

    def _say_lost(self, error: str) -> None:
        if self._outages.lost(self.url, error, asyncio.get_running_loop().time()):
            say(log, "broker lost", level=logging.WARNING, broker=self.url, error=error)
        else:
            say(log, "broker still lost", level=logging.DEBUG, broker=self.url, error=error)

    def _password(self) -> str | None:
        file = self._broker.password_file
        return None if file is None else read_secret(file, what="password")


class _Connection(aiomqtt.Client):
    """aiomqtt's own, on a socket that is connected already."""

    def __init__(self, connected: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._connected_socket: socket.socket | None = connected
        if not hasattr(self._client, "_create_socket_connection"):
            connected.close()
            # It would open one of its own, without the mark.
            raise RuntimeError("this paho-mqtt opens its sockets otherwise: install the one that is pinned")
        self._client._create_socket_connection = self._hand_over  # type: ignore[method-assign]  # noqa: SLF001 - It has no public way.

    def end(self) -> None:
        """Close the socket of a connection that was given up: the library would leave it open."""
        if self._connected_socket is not None:
            self._connected_socket.close()
        self._client.disconnect()
        if self._disconnected.done():
            self._disconnected.exception()  # Was heard otherwise; asyncio would complain that nobody looked.

    def _hand_over(self) -> socket.socket:
        """Called by the library, in a thread of its own, for each connection; there is but one."""
        opened, self._connected_socket = self._connected_socket, None
        if opened is None:
            raise OSError("the connection is used up")
        opened.setblocking(True)
        opened.settimeout(ANSWER_SECONDS)
        return opened


def _context(broker: Broker) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if broker.ca_file is None else str(broker.ca_file))
    except OSError as error:
        raise ValueError(
            f"mqtt.ca_file: {broker.ca_file} cannot be used: {error.strerror or 'no certificate in PEM'}"
        ) from None
    if broker.cert_file is not None and broker.key_file is not None:
        try:
            context.load_cert_chain(
                broker.cert_file, broker.key_file, password=lambda: ""
            )  # Never asked for.
        except OSError:
            raise ValueError(
                f"mqtt.cert_file, mqtt.key_file: {broker.cert_file} and {broker.key_file} are not a certificate and its key, "
                "in PEM, without a password and this user's to read"
            ) from None
    return context
