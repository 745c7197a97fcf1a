"""Wires a follower and serves it until it is told to stop."""

import asyncio
import logging
import socket
import ssl
import time

import httpx

from failover_receiver import serving
from failover_receiver.following import app
from failover_receiver.following.beside import Beside, Lent, Sharing
from failover_receiver.following.edge import Edge
from failover_receiver.following.forward import Forward
from failover_receiver.following.outgoing import Acks
from failover_receiver.following.passing import Passing
from failover_receiver.following.settings import FollowerSettings
from failover_receiver.following.upstream import Upstream
from failover_receiver.listening import listen, most_streams
from failover_receiver.settings import ConfigurationError
from wgfleet.files import read_secret
from wgfleet.logs import Format, say
from wgfleet.signing import Verifier

log = logging.getLogger(__name__)


async def follow(settings: FollowerSettings, log_format: Format = "text") -> None:
    """Run a follower; returns after SIGTERM or Ctrl-C."""
    serving.warn_of_clear_tokens(settings)
    authorities = _authorities(settings)
    read_secret(settings.token_file)  # What is wrong with it is said before all else.
    sockets = listen(settings.listen_address, settings.listen_port, shared=settings.processes > 1)
    try:
        async with httpx.AsyncClient(verify=authorities, trust_env=False) as http:
            await _serve(settings, sockets, http, log_format)
    finally:
        for one in sockets:
            one.close()
    say(log, "stopped")


async def _serve(
    settings: FollowerSettings, sockets: list[socket.socket], http: httpx.AsyncClient, log_format: Format
) -> None:
    lent = Lent()
    edge = Edge(settings.fleet, Verifier(settings.trusted_keys), clock=time.time, lent=[lent.holder])
    upstream = Upstream(edge, http, settings.receivers, lambda: read_secret(settings.token_file))
    passing = Passing(Acks(edge, http, upstream).post)
    forward = Forward(http, lambda: edge.link.receiver, keep_host=False)
    face = app.create(edge, passing, forward, open_health=settings.open_health, most_streams=most_streams())
    following = asyncio.create_task(upstream.run())
    try:
        async with Beside(settings.processes - 1, edge.metrics.beside) as others:
            await others.share(face, Sharing(settings, settings.trusted_keys, lent, log_format), sockets)
            server = serving.make(face, edge, settings, [others, edge.source])
            await server.serve_beside([following], sockets)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _authorities(settings: FollowerSettings) -> ssl.SSLContext:
    """Whom certificates are believed from. Raises ConfigurationError."""
    file = settings.ca_file
    try:
        return ssl.create_default_context(cafile=None if file is None else str(file))
    except OSError as error:
        raise ConfigurationError(
            f"ca_file: {file} cannot be used: {error.strerror or error}; it should hold certificates in PEM"
        ) from None
