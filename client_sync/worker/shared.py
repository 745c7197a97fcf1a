"""A second interface, whose identity several workers share, beside the worker's own.

A device without the daemon knows one key, so only workers that share a key can stand in for each other for it. Which clients
are such devices their addresses say: those in the shared interface's networks are its peers alone, all others the own interface's.
"""

import ipaddress
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

from client_sync.worker import plan
from client_sync.worker.forwarding import Network, within
from client_sync.worker.tunnel import Standing, Tunnel
from wgfleet.clientlist import ClientList, ListedClient, Refusal
from wgfleet.dump import Table


class Division:
    """Says which clients of a list belong to which interface."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Name the shared interface's networks; none: it has no clients."""
        self.networks: tuple[Network, ...] = tuple(map(ipaddress.ip_network, networks))
        self._known: dict[tuple[str, ...], bool] = {}
        """Of the last list: ten thousand clients' addresses are read once."""

    def own(self, clients: ClientList) -> ClientList:
        """What is for the worker's own interface."""
        return self._part(clients, shared=False)

    def shared(self, clients: ClientList) -> ClientList:
        """What is for the shared one."""
        return self._part(clients, shared=True)

    def _part(self, clients: ClientList, *, shared: bool) -> ClientList:
        if not self.networks:
            return replace(clients, clients=()) if shared else clients
        known, self._known = self._known, {}
        for one in clients.clients:
            said = known.get(one.allowed_ips)
            self._known[one.allowed_ips] = self._is_shared(one) if said is None else said
        chosen = tuple(one for one in clients.clients if self._known[one.allowed_ips] is shared)
        return replace(clients, clients=chosen)

    def _is_shared(self, client: ListedClient) -> bool:
        prefixes = map(ipaddress.ip_network, client.allowed_ips)
        return any(within(prefix, network) for prefix in prefixes for network in self.networks)


class TwoTunnels:
    """Both interfaces, as one to whoever follows the client list. One that fails does not keep the other back."""

    def __init__(self, own: Tunnel, shared: Tunnel, division: Division) -> None:
        """Take both; they exist."""
        self.name, self.shared = own.name, shared.name
        self._own, self._shared, self._division = own, shared, division

    @property
    def mark(self) -> int | None:
        """The own interface's firewall mark."""
        return self._own.mark

    @property
    def standing(self) -> Standing:
        """Of both together."""
        own, shared = self._own.standing, self._shared.standing
        return Standing(
            own.ours + shared.ours,
            own.others + shared.others,
            own.withheld + shared.withheld,
            own.cut | shared.cut,
        )

    @property
    def ours(self) -> frozenset[str]:
        """Keys of the peers that we added."""
        return self._own.ours | self._shared.ours

    def look(self) -> Table:
        """The own interface as it is now; both must be there. Raises WgError, DumpError."""
        self._shared.look()
        return self._own.look()

    def refusal(self, held: ClientList | None, new: ClientList) -> Refusal | None:
        """Why a list is not applied; None if it may be."""
        return plan.refusal(held, new, self.ours)

    def bring_up_to_date(self, clients: ClientList, *, removing: bool) -> None:
        """As `Tunnel`'s, for both."""
        try:
            self._own.bring_up_to_date(self._division.own(clients), removing=removing)
        finally:
            self._shared.bring_up_to_date(self._division.shared(clients), removing=removing)

    def ask(self) -> Future[frozenset[str]]:
        """As `Tunnel`'s, for the own interface."""
        return self._own.ask()

    def follow(self, before: ClientList, after: ClientList, there: Future[frozenset[str]]) -> None:
        """As `Tunnel`'s. The shared interface has few clients, so it is looked at as a whole."""
        try:
            self._own.follow(self._division.own(before), self._division.own(after), there)
        finally:
            self._shared.bring_up_to_date(self._division.shared(after), removing=True)


def around_both(
    own: Callable[[ClientList], None],
    shared: Callable[[ClientList], None],
    silence: Callable[[ClientList], None],
    division: Division,
) -> Callable[[ClientList], None]:
    """What belongs around each interface, made for its own part of the list. One that fails does not keep the others back."""

    def make(clients: ClientList) -> None:
        try:
            own(division.own(clients))
        finally:
            try:
                shared(division.shared(clients))
            finally:
                silence(clients)

    return make
