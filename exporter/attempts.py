"""Probes under way: a socket each, what is sent by it, and what an answer means. Nothing here waits."""

import selectors
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from exporter.echo import Echo, EchoPermissionError, open_socket
from exporter.probe import Address, Kind, Probe

DATAGRAM_BYTES = 65535
REFUSALS = (dns.rcode.SERVFAIL, dns.rcode.REFUSED)
"""Answers that say nothing of what lies beyond the server, or that it would not ask."""


class EgressError(Exception):
    """The probes could not be made; the text says why. It says nothing about the worker's egress."""


class Attempt(ABC):
    """One probe under way."""

    awaits = selectors.EVENT_READ
    """What the socket is watched for."""

    def __init__(self, probe: Probe, source: Address | None) -> None:
        """Open its socket, bound to the source.

        Raises:
            EgressError: this machine does not let us.

        """
        self.probe = probe
        try:
            self.socket = self.open()
        except OSError as error:
            raise EgressError(f"egress probe {probe}: {_said(error)}") from error
        if source is not None:
            self._bind(source)

    @abstractmethod
    def open(self) -> socket.socket:
        """A socket that never blocks."""

    @abstractmethod
    def send(self) -> None:
        """Ask; OSError if the network would not have it."""

    @abstractmethod
    def judge(self) -> bool | None:
        """Whether it is answered, or None if that is not known yet; OSError if the network says that it never will be."""

    def begin(self) -> bool:
        """Connect and ask; False if there is no way out, which is an answer already."""
        try:
            self.socket.connect((str(self.probe.address), self.probe.port))
        except BlockingIOError:
            return True  # A connection that is under way: nothing is sent but that.
        except OSError:
            return False
        try:
            self.send()
        except OSError:  # Also what a firewall's rule of `output` drops.
            return False
        return True

    def outcome(self) -> bool | None:
        """What the socket has, now that it has something: answered, refused, or None for somebody else's answer."""
        try:
            return self.judge()
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return False

    def close(self) -> None:
        """Leave nothing behind."""
        self.socket.close()

    def _bind(self, source: Address) -> None:
        try:
            self.socket.bind((str(source), 0))
        except OSError as error:
            self.close()
            raise EgressError(
                f"egress probe {self.probe}: cannot send from {source}: {_said(error)}; "
                "the source must be an address of this machine, as the worker's in the tunnel"
            ) from error


class IcmpAttempt(Attempt):
    """An echo, there and back."""

    def open(self) -> socket.socket:
        self._echo = Echo(self.probe.family)
        return open_socket(self.probe.family)

    def send(self) -> None:
        self.socket.send(self._echo.request())

    def judge(self) -> bool | None:
        packet = self.socket.recv(DATAGRAM_BYTES)
        return self._echo.is_answered_by(packet, raw=self.socket.type == socket.SOCK_RAW) or None


class TcpAttempt(Attempt):
    """A connection that is accepted. A refusal does not count: the worker's own firewall could have said it."""

    awaits = selectors.EVENT_WRITE

    def open(self) -> socket.socket:
        return socket.socket(self.probe.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def send(self) -> None:
        """Connecting was all."""

    def judge(self) -> bool | None:
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


class DnsAttempt(Attempt):
    """A question and its answer, of whatever content: NXDOMAIN shows just as well that somebody is there."""

    def open(self) -> socket.socket:
        self._question = dns.message.make_query(self.probe.name, dns.rdatatype.A)
        return socket.socket(self.probe.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def send(self) -> None:
        self.socket.send(self._question.to_wire())

    def judge(self) -> bool | None:
        packet = self.socket.recv(DATAGRAM_BYTES)
        try:
            answer = dns.message.from_wire(packet, question_only=True)
        except (dns.exception.DNSException, ValueError):
            return None
        # Its number and question, so that nobody's late or forged answer counts.
        return answer.rcode() not in REFUSALS if self._question.is_response(answer) else None


ATTEMPTS: Mapping[Kind, type[Attempt]] = {
    Kind.ICMP: IcmpAttempt,
    Kind.TCP: TcpAttempt,
    Kind.DNS: DnsAttempt,
}


def _said(error: OSError) -> str:
    return str(error) if isinstance(error, EchoPermissionError) else (error.strerror or str(error))
