"""The lab's network: workers, clients, the monitoring hosts, and what lies between and behind them."""

from collections.abc import Sized
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import addresses
from tests.lab.host import Host
from tests.lab.launch import Launcher
from tests.lab.machines import Client, Monitoring, Service, Underlay, Worker
from tests.lab.preflight import kernel_wireguard, require


class Network:
    """A whole network, up from `with` to its end. Several can be up at once."""

    def __init__(
        self,
        workers: int = 3,
        clients: int = 2,
        vantages: int = 1,
        *,
        keep: bool = False,
        kernel: bool | None = None,
        client: type[Client] = Client,
    ) -> None:
        """Describe it. `keep` leaves the logs behind; `kernel` chooses the WireGuard (None: the kernel's if there).

        `client` is the kind of machine that clients are.
        """
        self.workers: list[Worker] = []
        self.clients: dict[str, Client] = {}
        self.vantages: list[Monitoring] = []
        self._wanted = (workers, clients, vantages)
        self._keep = keep
        self._kernel = kernel
        self._client = client
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Bring everything up.

        Raises:
            LabImpossibleError: this machine cannot carry it; with every reason at once.

        """
        require()
        self._userspace = not (kernel_wireguard() if self._kernel is None else self._kernel)
        with ExitStack() as stack:
            self._launcher = stack.enter_context(Launcher(keep=self._keep))
            self._build(*self._wanted)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every program; the kernel takes the rest away."""
        self._stack.__exit__(kind, error, trace)

    @property
    def directory(self) -> Path:
        """Where the logs are, and whatever else is to go when the network goes."""
        return self._launcher.directory

    @property
    def keep(self) -> bool:
        """Whether the folder stays when the network goes. May be set until then, as after a failure."""
        return self._launcher.keep

    @keep.setter
    def keep(self, keep: bool) -> None:
        self._launcher.keep = keep

    def worker(self, name: str) -> Worker:
        return {worker.name: worker for worker in self.workers}[name]

    def client(self, name: str) -> Client:
        return self.clients[name]

    @property
    def monitoring(self) -> Monitoring:
        """The first monitoring host."""
        return self.vantages[0]

    @property
    def hosts(self) -> list[Host]:
        """Every machine."""
        return [self.underlay, self.service, *self.vantages, *self.workers, *self.clients.values()]

    def add_worker(self, *, watched: bool = True) -> Worker:
        """Bring one more worker up; it knows clients and vantages, and these know it if it is to be `watched`."""
        worker = self._new_worker()
        self._join([worker])
        for vantage in self.vantages if watched else ():
            vantage.watch(worker)
        return worker

    def add_client(self, kind: type[Client] | None = None) -> Client:
        """Bring one more client up, of another kind if you say so; every worker has it as a peer, it has none yet."""
        client = self._new_client(kind or self._client)
        self._join([client])
        return client

    def new_host(self, name: str, address: str) -> Host:
        """A machine without any cable; what is to be done with it is yours."""
        host = Host(self._launcher, name, address)
        host.wait()
        return host

    def _build(self, workers: int, clients: int, vantages: int) -> None:
        self.underlay = Underlay(self._launcher)
        self.service = Service(self._launcher)
        for _ in range(vantages):
            self._new_vantage()
        joining: list[Worker | Client | Monitoring] = [
            *(self._new_worker() for _ in range(workers)),
            *(self._new_client(self._client) for _ in range(clients)),
            *self.vantages,
        ]
        for fixed in (self.underlay, self.service):
            fixed.wait()
            fixed.set_up()
        # The vantages come last: a first handshake with a worker that is not there yet is tried again only after 5 s.
        for vantage in self.vantages:
            for worker in self.workers:
                vantage.watch(worker)
        self._join(joining)

    def _new_vantage(self) -> None:
        number = _next(self.vantages, addresses.MOST_VANTAGES, "vantages")
        self.vantages.append(Monitoring(self._launcher, number, userspace=self._userspace))

    def _new_worker(self) -> Worker:
        number = _next(self.workers, addresses.MOST_WORKERS, "workers")
        worker = Worker(self._launcher, number, userspace=self._userspace)
        for client in self.clients.values():
            worker.wg0.add_peer(client.as_peer())
        for vantage in self.vantages:
            worker.wg0.add_peer(vantage.as_peer())
        self.workers.append(worker)
        return worker

    def _new_client(self, kind: type[Client]) -> Client:
        number = _next(self.clients, addresses.MOST_CLIENTS, "clients")
        client = kind(self._launcher, number, userspace=self._userspace)
        for worker in self.workers:
            worker.wg0.add_peer(client.as_peer())
        self.clients[client.name] = client
        return client

    def _join(self, joining: list[Worker | Client | Monitoring]) -> None:
        """All are being made already, side by side; now one after the other."""
        for host in joining:
            host.wait()
            host.set_up(self.underlay, self.service)
            host.start()


def _next(present: Sized, most: int, what: str) -> int:
    if len(present) == most:
        raise ValueError(f"the lab's addresses are for at most {most} {what}")
    return len(present) + 1
