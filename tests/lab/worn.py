"""What wears a client's path or its daemon out, without being a failure: nobody should be moved by it."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.lab import addresses
from tests.lab.inside import command
from tests.lab.machines import Client, Service
from tests.lab.process import Process
from tests.lab.wireguard import Interface

RELAY_PORT = 41000
SINK_PORT = 9999
STOLEN, GIVEN = 0.09, 0.01
"""Seconds out of each tenth: nine parts of the processor are somebody else's."""
ASLEEP, AWAKE = 20.0, 10.0
"""Seconds."""


@contextmanager
def path(client: Client, endpoints: list[str], **properties: float) -> Iterator[None]:
    """Its WireGuard's packets go by a relay that loses, delays or queues them: tests/lab/inside/relay.py."""
    mark = addresses.FIREWALL_MARK
    port = _listen_port(client.wg0)
    relay = command("relay", client.address, mark, RELAY_PORT, json.dumps(properties), *endpoints)
    process = client.spawn("relay", relay, ready="carrying")
    to_relay = "\n".join(
        f"ip daddr {endpoint.rpartition(':')[0]} udp sport {port} dnat to {client.address}:{RELAY_PORT + number}"
        for number, endpoint in enumerate(endpoints)
    )
    client.nft(
        f"table ip worn {{\n  chain output {{\n    type nat hook output priority -100;\n{to_relay}\n  }}\n}}\n"
    )
    try:
        yield
    finally:
        client.nft("delete table ip worn\n")
        process.kill()


@contextmanager
def upload(
    client: Client, service: Service, *, rate: float, port: int = SINK_PORT, size: int = 1000
) -> Iterator[None]:
    """It sends so many bits per second through the tunnel, and nothing comes back."""
    with ExitStack() as stack:
        sink = service.spawn(f"sink{port}", command("sink", service.address, port), ready="listening")
        stack.callback(sink.kill)
        sending = client.spawn("upload", command("upload", service.address, port, rate, size))
        stack.callback(sending.kill)
        yield


@contextmanager
def stops(process: Process, *, stopped: float, running: float) -> Iterator[None]:
    """It is stopped and continued, over and over."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.is_set():
            process.freeze()
            ended.wait(stopped)
            process.thaw()
            ended.wait(running)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        process.thaw()


def _listen_port(interface: Interface) -> int:
    return int(interface.host.run("wg", "show", interface.name, "listen-port"))
