"""Asks the zone's server, and updates it: one signed message and its answer at a time, over TCP."""

import asyncio
import socket

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from failover_receiver.publishing.dns import keyfile
from failover_receiver.publishing.dns.place import Dns
from failover_receiver.publishing.dns.records import Addresses, of_family
from failover_receiver.publishing.publisher import PublishingError
from wgfleet.files import read_secret
from wgfleet.names import split_endpoint

TIMEOUT_SECONDS = 3.0
"""For each message; the runner limits the whole."""
FAMILIES = {4: dns.rdatatype.A, 6: dns.rdatatype.AAAA}


class Server:
    """The zone's primary server, as this receiver's key is let in there."""

    def __init__(self, place: Dns) -> None:
        """Read the key, to say now what is wrong with it. Raises ValueError, which quotes nothing of it."""
        self._place = place
        self._host, self._port = split_endpoint(place.server)
        self._name = dns.name.from_text(place.name)
        self._key()

    async def present(self) -> tuple[Addresses, set[int]] | None:
        """What the name has, and its times to live; None: the server shows this key nothing. Raises PublishingError."""
        found: set[str] = set()
        lifetimes: set[int] = set()
        for kind in FAMILIES.values():
            answer = await self._ask(dns.message.make_query(self._name, kind))
            if answer.rcode() == dns.rcode.REFUSED:
                return None
            if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
                raise PublishingError(self._refusal(answer.rcode()))
            for rrset in answer.answer:
                if rrset.rdtype == dns.rdatatype.CNAME:
                    raise PublishingError(
                        f"dns.name: {self._place.name} is an alias in {self._place.zone}: delete its CNAME record, "
                        "beside which there can be no other"
                    )
                if rrset.rdtype == kind and rrset.name == self._name:
                    found |= {rdata.address for rdata in rrset}
                    lifetimes.add(rrset.ttl)
        return frozenset(found), lifetimes

    async def replace(self, wanted: Addresses) -> None:
        """Let the name have these and no others, from one moment to the next. Raises PublishingError."""
        place = self._place
        update = dns.update.UpdateMessage(dns.name.from_text(place.zone))
        for version, kind in FAMILIES.items():
            update.delete(self._name, kind)
            for address in of_family(wanted, version):
                update.add(self._name, place.ttl, kind, address)
        answer = await self._ask(update)
        if answer.rcode() != dns.rcode.NOERROR:
            raise PublishingError(self._refusal(answer.rcode()))

    async def _ask(self, message: dns.message.Message) -> dns.message.Message:
        place = self._place
        try:
            message.use_tsig(await asyncio.to_thread(self._key))
        except ValueError as error:
            raise PublishingError(str(error)) from None
        try:
            address = await self._address()
            # In a thread: dnspython's asynchronous way waits by Python 3.11's `wait_for`, which swallows cancellations.
            return await asyncio.to_thread(dns.query.tcp, message, address, TIMEOUT_SECONDS, self._port)
        except dns.tsig.PeerBadKey:
            raise PublishingError(
                f"dns.key_file: {place.server} knows no key of that name and algorithm: is it in the server's "
                "configuration, and was that loaded since (`rndc reconfig`)?"
            ) from None
        except (dns.tsig.PeerBadSignature, dns.tsig.BadSignature):
            raise PublishingError(
                f"dns.key_file: {place.server} has another secret for the key: copy the same key to both"
            ) from None
        except (dns.tsig.PeerBadTime, dns.tsig.BadTime):
            raise PublishingError(
                f"dns.server: the clocks here and on {place.server} differ by more than five minutes: let both follow NTP"
            ) from None
        except (dns.exception.Timeout, TimeoutError):
            raise PublishingError(
                f"dns.server: no answer from {place.server} in {TIMEOUT_SECONDS:g} s"
            ) from None
        except (OSError, EOFError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise PublishingError(f"dns.server: {place.server} cannot be reached by TCP: {why}") from None
        except dns.exception.DNSException as error:
            raise PublishingError(
                f"dns.server: {place.server} answers what cannot be used: {error}"
            ) from None

    async def _address(self) -> str:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return str(found[0][4][0])

    def _key(self) -> dns.tsig.Key:
        file = self._place.key_file
        try:
            text = read_secret(file, one_line=False)
        except ValueError as error:
            raise ValueError(f"dns.key_file: {error}") from None
        try:
            return keyfile.read(text, self._place.algorithm)
        except ValueError as error:
            raise ValueError(f"dns.key_file: {file}: {error}") from None

    def _refusal(self, rcode: dns.rcode.Rcode) -> str:
        place, word = self._place, dns.rcode.to_text(rcode)
        why = {
            dns.rcode.NOTAUTH: f"it is no primary server of {place.zone}: name that one, or another zone (dns.zone)",
            dns.rcode.NOTZONE: f"{place.name} is not within its zone {place.zone} (dns.name, dns.zone)",
            dns.rcode.NOTIMP: "it takes no dynamic updates",
            dns.rcode.REFUSED: f"let the key change this name, as BIND does by `update-policy {{ grant KEY name {place.name} "
            "A AAAA; };` in its zone",
            dns.rcode.SERVFAIL: "its own log says why; often it cannot write the zone's file and journal",
        }.get(rcode, "see its log")
        return f"dns: {place.server} said {word}: {why}"
