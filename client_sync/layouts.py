"""Makes the layout that the configuration names, what probes through it and what counts its packets."""

import asyncio
import logging
import shlex
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from client_sync.applying import Apply
from client_sync.beforehand import barred_beforehand
from client_sync.cache import ManagedPeers, RoutedNetworks
from client_sync.comings import SETTLED_SECONDS, comings
from client_sync.config import Config, LayoutKind, Role
from client_sync.echo import Echo
from client_sync.endpoints import Endpoints, Resolve
from client_sync.guard import Guard, Guarded
from client_sync.interface import Interface, Wireguard
from client_sync.layout import Layout, Prober
from client_sync.own import OwnInterface
from client_sync.own import Settings as OwnSettings
from client_sync.own import watch as watch_own
from client_sync.perworker.allotments import Allotments
from client_sync.perworker.echoes import Echoes, watch
from client_sync.perworker.interfaces import Settings
from client_sync.perworker.layout import PerWorker
from client_sync.perworker.system import System
from client_sync.restarting import Quick, Restarting
from client_sync.traffic import Counters, Packets
from client_sync.tunnels.making import Dress
from wgfleet.dump import DumpError
from wgfleet.logs import say
from wgfleet.wg import WgError

log = logging.getLogger(__name__)
LOOK_SECONDS = 10.0
"""Between looks whether others have changed peers or routes of an interface that is theirs."""
TRIES, RETRY_SECONDS = 5, 1.0
"""While an interface that came up refuses to be mended."""


@dataclass(frozen=True, slots=True)
class Laid:
    """What the driver is given."""

    layout: Layout
    prober: Prober
    packets: Callable[[], Packets | None]
    """What has come in and gone out, but for probes that the driver does not know of."""
    beside: Callable[[Callable[[], None]], Coroutine[None, None, None]]
    """To be run for ever: what the layout needs done beside the driver's work. It calls when there is something to tell."""
    close: Callable[[], None]
    first: Callable[[], object] = object
    """To be done before anything else: closes the kill switch, or takes one away that is not wanted any more; marks connections."""
    remarks: Callable[[], Sequence[str]] = tuple
    """What people should know of it."""
    stays: Callable[[], str | None] = lambda: None
    """What a daemon that ends leaves behind, if people should know."""


def lay_out(config: Config, resolve: Resolve) -> Laid:
    """The layout, nothing of it touched yet."""
    laid = _laid_out(config, resolve)
    guard = guard_of(config)
    if not config.kill_switch:
        return replace(laid, first=_all(guard.forget, laid.first))

    def remarks() -> Sequence[str]:
        return () if guard.remark is None else (guard.remark,)

    guarded = Guarded(laid.layout, guard, resolve, ours=config.private_key_file is not None)
    first = _all(guard.close, laid.first)
    return replace(laid, first=first, remarks=remarks, stays=lambda: guard.stays, layout=guarded)


def guard_of(config: Config) -> Guard:
    """The kill switch; whether there is to be one, is not asked."""
    single = config.layout is LayoutKind.SINGLE
    tunnels = config.interface if single else f"{config.interface}-*"
    return Guard(
        config.state_directory,
        tunnels,
        config.kill_switch_allow,
        beforehand=lambda: barred_beforehand(config),
    )


def _laid_out(config: Config, resolve: Resolve) -> Laid:
    if config.private_key_file is None:
        return _single(config, resolve)
    if config.layout is LayoutKind.SINGLE:
        return _own(config, config.private_key_file, resolve)
    settings = Settings(
        prefix=config.interface,
        private_key_file=config.private_key_file,
        addresses=config.addresses,
        mark=config.firewall_mark,
        drain_deadline=config.drain_deadline,
        implementation=config.wireguard,
        target=config.probe_target,
    )
    per_worker = PerWorker(settings, Allotments(config.state_directory), Endpoints(resolve), system=System())
    echoes = Echoes(per_worker, target=config.probe_target)
    counters = Counters(lambda: per_worker.devices)

    def packets() -> Packets | None:
        counted, own = counters(), echoes.watched
        return None if counted is None else (counted[0] - own[0], counted[1] - own[1])

    return Laid(
        per_worker,
        echoes,
        packets,
        lambda changed: watch(per_worker, echoes, changed),
        _all(echoes.close, counters.close),
        first=per_worker.begin,
    )


def _single(config: Config, resolve: Resolve) -> Laid:
    managed, routes = ManagedPeers(config.state_directory), config.manage_routes
    if config.apply is Apply.RESTART:
        return _restarting(config, managed, resolve)
    single = Interface(
        config.interface,
        managed,
        resolve,
        manage_routes=routes,
        wireguard=Wireguard(),
        is_vantage=config.role is Role.VANTAGE,
    )
    echo, counters = Echo(config.interface), Counters(lambda: (config.interface,))
    return Laid(single, echo, counters, lambda _changed: _watch(single), _all(echo.close, counters.close))


def _restarting(config: Config, managed: ManagedPeers, resolve: Resolve) -> Laid:
    """Routes are wg-quick's: dead ends of ours would have it choose another table each time."""
    name = config.interface
    file = config.wg_quick_file or Path("/etc/wireguard") / f"{name}.conf"
    said = config.restart_command or (f"wg-quick down {name}", f"wg-quick up {name}")
    commands = [shlex.split(command) for command in said]
    quick = Quick(name, file, commands)
    layout = Restarting(quick, config.state_directory, managed, Endpoints(resolve))
    echo, counters = Echo(name), Counters(lambda: (name,))
    return Laid(layout, echo, counters, _nothing, _all(echo.close, counters.close))


def _own(config: Config, private_key_file: Path, resolve: Resolve) -> Laid:
    dress = Dress(private_key_file, config.firewall_mark, config.addresses)
    settings = OwnSettings(dress, config.wireguard, config.manage_routes)
    managed, name = ManagedPeers(config.state_directory), config.interface
    peers = Interface(name, managed, resolve, manage_routes=False, wireguard=Wireguard())
    own = OwnInterface(settings, peers, RoutedNetworks(config.state_directory))
    echo, counters = Echo(name), Counters(lambda: (name,))
    closing = _all(echo.close, counters.close)
    return Laid(own, echo, counters, lambda _changed: watch_own(own), closing, first=own.begin)


async def _nothing(changed: Callable[[], None]) -> None:
    del changed
    await asyncio.Event().wait()  # Whoever brings it up again has it from the file.


async def _watch(single: Interface) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_mend(single))
        tasks.create_task(_keep_looking(single))


async def _keep_looking(single: Interface) -> None:
    said = ""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            # What brings it up anew is not yet done, perhaps.
            if not single.is_as_set() and not await _settled(single):
                say(log, "set again, others changed it", level=logging.WARNING, interface=single.name)
                single.mend()
        except (WgError, DumpError, OSError) as error:
            if str(error) != said:
                say(log, "not applied", level=logging.ERROR, error=error)
            said = str(error)
        else:
            said = ""


async def _settled(single: Interface) -> bool:
    await asyncio.sleep(SETTLED_SECONDS)
    return single.is_as_set()


async def _mend(single: Interface) -> None:
    async for _ in comings(single.name):
        for _ in range(TRIES):  # One that went away again is told again when it is back.
            try:
                single.mend()
            except (WgError, DumpError, OSError) as error:
                say(log, "not applied", level=logging.ERROR, error=error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                break


def _all(*these: Callable[[], object]) -> Callable[[], None]:
    def each() -> None:
        for one in these:
            one()

    return each
