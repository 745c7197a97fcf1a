"""Egress: does what clients send beyond the worker arrive, and is it answered?

Each scrape probes anew, so three failed samples are three probes that really failed. All probes run at once, in this
thread, and each ends in its time: a socket that waits is a socket in one selector, so nothing is left behind.

What the network does not do is a failed probe. What this machine does not let us do (no right to send an echo, a source
address that is not its own) is an error of ours: that is raised, and says nothing about the worker.

With a source, the worker's own tunnel address, the probe leaves with an address that only the worker's NAT makes one that
can be answered, as the clients' packets do. It begins on the worker itself, though, and so passes by its rules of `forward`
and by NAT rules that ask for the interface a packet came in by (`iifname "wg0" masquerade`): where NAT is bound to that
instead of to source addresses, probe without a source. Forwarding itself is therefore read from the kernel's settings.
"""

import selectors
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import ip_address

from exporter import metrics
from exporter.attempts import ATTEMPTS, EgressError
from exporter.metrics import Sample
from exporter.probe import Address, Probe

LEAST_SECONDS = 0.05
"""Less time than that is no probe: no answer within it would not mean that there is none."""


class Egress:
    """The probes of one worker."""

    def __init__(
        self,
        probes: Iterable[Probe],
        *,
        timeout: float,
        forwarding: Callable[[], Mapping[str, bool]],
        sources: Sequence[str] = (),
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the probes and each one's timeout in seconds.

        `sources` are addresses of this machine to probe from, at most one of each family. `forwarding` says, by
        `ipv4` and `ipv6`, whether the kernel forwards.

        Raises:
            ValueError: a source is no address, there are two of one family, or the timeout is too short.

        """
        if timeout < LEAST_SECONDS:
            raise ValueError(f"egress timeout {timeout:g} s: it must be at least {LEAST_SECONDS:g} s")
        self._probes = tuple(dict.fromkeys(probes))  # Twice the same would be twice the same series.
        self._timeout = timeout
        self._forwarding = forwarding
        self._sources = _by_family(sources)
        self._stopwatch = stopwatch
        only_v6 = all(probe.family == socket.AF_INET6 for probe in self._probes)
        self._forwarded = "ipv6" if only_v6 else "ipv4"

    def samples(self, limit: float) -> list[Sample]:
        """Probe now, and be done within `limit` seconds.

        Raises:
            EgressError: the probes could not be made.
            OSError: the kernel would not say whether it forwards.

        """
        if not self._probes:
            return []
        forwards = self._forwarding().get(self._forwarded, False)
        answered = self._run(min(self._timeout, limit))
        page = [Sample(metrics.WORKER_EGRESS, (), forwards and any(ok for ok, _ in answered.values()))]
        for probe, (ok, seconds) in answered.items():
            page.append(Sample(metrics.WORKER_EGRESS_PROBE, (str(probe),), ok))
            page.append(Sample(metrics.WORKER_EGRESS_DURATION, (str(probe),), seconds))
        return page

    def _run(self, within: float) -> dict[Probe, tuple[bool, float]]:
        """Whether each probe was answered, and the seconds that it took."""
        if within < LEAST_SECONDS:
            raise EgressError(
                f"only {within:.3f} s are left to probe in, less than {LEAST_SECONDS:g} s: "
                "raise the timeout of the scrape, or that of the probes"
            )
        answered: dict[Probe, tuple[bool, float]] = {}
        began = self._stopwatch()
        with ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            for probe in self._probes:
                attempt = ATTEMPTS[probe.kind](probe, self._sources.get(probe.family))
                stack.callback(attempt.close)
                if attempt.begin():
                    selector.register(attempt.socket, attempt.awaits, attempt)
                else:
                    answered[probe] = (False, self._stopwatch() - began)
            while selector.get_map() and (left := began + within - self._stopwatch()) > 0:
                for key, _ in selector.select(left):
                    if (ok := key.data.outcome()) is not None:
                        answered[key.data.probe] = (ok, self._stopwatch() - began)
                        selector.unregister(key.fileobj)
        # In the probes' order, whichever was answered first.
        return {probe: answered.get(probe, (False, within)) for probe in self._probes}


def _by_family(sources: Sequence[str]) -> Mapping[socket.AddressFamily, Address]:
    found: dict[socket.AddressFamily, Address] = {}
    for source in sources:
        try:
            address = ip_address(source)
        except ValueError:
            raise ValueError(f"egress source {source!r} is no IP address") from None
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        if found.setdefault(family, address) != address:
            raise ValueError(f"egress sources {found[family]} and {address}: at most one of each family")
    return found
