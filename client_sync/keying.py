"""The key and the interface with which a machine joins: those that are there, or those that the daemon shall make."""

from dataclasses import dataclass
from pathlib import Path

from client_sync.config import Config, ConfigurationError, LayoutKind, Role, load
from client_sync.joining import EnrolmentError
from client_sync.tunnels.keys import public_key_of
from client_sync.tunnels.making import links
from wgfleet.device import Device
from wgfleet.files import write_whole
from wgfleet.wg import new_private_key, read_device, set_private_key

WG_QUICK = Path("/etc/wireguard")
"""Where wg-quick's files are."""
USUAL = {LayoutKind.SINGLE: "wg0", LayoutKind.PER_WORKER: "wg"}
"""The interface that is meant where none is named."""


@dataclass(frozen=True, slots=True)
class Footing:
    """What the machine stands on in the fleet."""

    interface: str
    """With an interface for each worker: what their names begin with."""
    layout: LayoutKind
    earlier: Config | None
    """Of an earlier enrolment, by which the daemon makes this interface already."""
    is_made: bool
    """The daemon makes the interface; else it is there, and stays whoever's it is."""

    @property
    def key_file(self) -> str:
        """The file with the private key, where one is made; without a folder, it is beside sync.toml."""
        known = None if self.earlier is None else self.earlier.private_key_file
        return f"{self.interface}.key" if known is None else str(known)

    def said(self, addresses: tuple[str, ...]) -> dict[str, object]:
        """What sync.toml has to say of it beside the interface's name."""
        if not self.is_made:
            return {}
        said: dict[str, object] = {} if self.layout is LayoutKind.SINGLE else {"layout": self.layout}
        said |= {"private_key_file": self.key_file, "addresses": addresses}
        if self.earlier is not None:
            said["firewall_mark"] = self.earlier.firewall_mark  # That of the interface that may be up.
        return said


@dataclass(frozen=True, slots=True)
class Key:
    """The machine's key, and how it came to it."""

    public: str
    mark: int | None
    """What the interface's own packets carry, if it is there."""
    given: Path | None = None
    """The file with the private one, which an interface that is somebody else's was given."""


def footing(role: str, interface: str | None, layout: str | None, directory: Path) -> Footing:
    """What there is, and what is to be made. Raises EnrolmentError, WgError."""
    if role != Role.CLIENT and layout is not None:
        raise EnrolmentError(f"--layout is for clients, and the bundle is for a {role}: leave it out")
    earlier = _earlier(directory / "sync.toml")
    kind = LayoutKind(layout or (LayoutKind.SINGLE if earlier is None else earlier.layout))
    if earlier is not None and earlier.layout is not kind:
        earlier = None
    name = interface or (USUAL[kind] if earlier is None else earlier.interface)
    if earlier is not None and earlier.interface != name:
        earlier = None
    if kind is LayoutKind.PER_WORKER:
        return Footing(name, kind, earlier, is_made=True)
    is_there = name in links()
    if role == Role.CLIENT and not is_there:
        _check_nobody_elses(name)
    if role != Role.CLIENT and not is_there:
        raise EnrolmentError(
            f"there is no interface {name} here, which a {role} needs, and the bundle was not used: bring it up first (with a "
            f"file of wg-quick's, `wg-quick up {name}`), or name another by --interface"
        )
    if role != Role.CLIENT or (is_there and earlier is None):
        read_device(name)  # One that is none of WireGuard's is said before anything is made.
        return Footing(name, kind, None, is_made=False)
    return Footing(name, kind, earlier, is_made=True)


def own_key(stands: Footing, directory: Path) -> Key:
    """The machine's key; one is made where it has none. Raises WgError, OSError, EnrolmentError."""
    file = directory / stands.key_file
    if stands.is_made:
        _make(file)
        mark = None if stands.earlier is None else stands.earlier.firewall_mark
        return Key(public_key_of(file), mark)
    device = read_device(stands.interface)
    if device.public_key is not None:
        return Key(device.public_key, device.firewall_mark)
    _make(file)
    set_private_key(stands.interface, file)
    return Key(_public(read_device(stands.interface), file), device.firewall_mark, file)


def _make(file: Path) -> None:
    if not file.exists():  # Else an earlier try made it.
        write_whole(file, f"{new_private_key()}\n".encode())


def _public(device: Device, file: Path) -> str:
    if device.public_key is None:
        raise EnrolmentError(f"{device.interface} did not take the private key in {file}: is it one?")
    return device.public_key


def _check_nobody_elses(interface: str) -> None:
    file = WG_QUICK / f"{interface}.conf"
    if file.exists():
        raise EnrolmentError(
            f"{interface} is not there, but {file} is, and the bundle was not used: `wg-quick up {interface}` first, to "
            "join with that interface and its key; or name another by --interface, which the daemon will make"
        )


def _earlier(file: Path) -> Config | None:
    """What the daemon makes already by that file; None: nothing."""
    try:
        config = load(file)
    except ConfigurationError:
        return None
    return None if config.private_key_file is None else config
