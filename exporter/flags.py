"""What the exporter can be told, and what each mistake is answered with. Flags are dotted, as exporters' are."""

import argparse
import re
from pathlib import Path

from wgfleet import __version__
from wgfleet.names import split_endpoint

LISTEN_ADDRESS = "127.0.0.1:9586"
"""The field's port, but not the field's 0.0.0.0: a worker stands on the Internet, the page has the public key and the
traffic of each of its peers, and anyone who asks is answered. So it is shown to others only where that is asked for."""

INTERFACE = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
"""What wg-quick(8) takes, which is stricter than Linux: it becomes a path, a word for `wg` and a label."""

DESCRIPTION = """\
Serves what WireGuard interfaces of this machine do, as metrics for Prometheus: traffic and
state of each interface, how many of its peers are active, how old handshakes are, and each
peer's traffic and latest handshake. Every scrape reads anew; nothing is cached.
"""

EPILOG = """\
examples:
  wgfleet-exporter --interface wg0
      for a Prometheus on this machine
  wgfleet-exporter --interface wg0 --web.listen-address 10.90.0.1:9586
      for one that reaches this machine through the tunnel, at 10.90.0.1
  wgfleet-exporter --interface wg0 --interface wg1 --no-peers
      two interfaces, and a page that does not grow with the number of peers

It runs the program `wg`, which needs CAP_NET_ADMIN. A userspace WireGuard is read through
its socket /run/wireguard/NAME.sock instead, which belongs to root: run the exporter as root
there. An interface may come and go while the exporter runs: without it the page says
wireguard_interface_up 0.

Exit code: 0 told to stop, 1 the address cannot be listened on, 2 a flag is wrong.
"""


def parser() -> argparse.ArgumentParser:
    """The command line; it takes no abbreviations, so that a new flag never changes what an old one means."""
    flags = argparse.ArgumentParser(
        prog="wgfleet-exporter",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument("--version", action="version", version=f"wgfleet-exporter {__version__}")
    flags.add_argument(
        "--interface",
        dest="interfaces",
        action="append",
        required=True,
        type=_interface,
        metavar="NAME",
        help="an interface to show, as wg0; repeat it for more. All of them cannot be asked for at once: "
        "`wg show all` lists userspace interfaces of other network namespaces too",
    )
    flags.add_argument(
        "--no-peers",
        dest="peers",
        action="store_false",
        help="leave out each peer's own series",
    )
    flags.add_argument(
        "--web.listen-address",
        dest="listen_address",
        type=_address,
        default=LISTEN_ADDRESS,
        metavar="HOST:PORT",
        help="where to listen (default: %(default)s, because whoever reaches the page may read every peer's "
        "public key and traffic). `:9586` is every IPv4 address, `[::]:9586` every address",
    )
    flags.add_argument(
        "--path.sysfs",
        dest="sysfs",
        type=Path,
        default=Path("/sys"),
        metavar="FOLDER",
        help="where sysfs is mounted (default: %(default)s)",
    )
    flags.add_argument(
        "--log.format",
        dest="log_format",
        choices=("text", "json"),
        default="text",
        help="lines for people or for programs (default: %(default)s)",
    )
    return flags


def _interface(text: str) -> str:
    if text in {"all", "interfaces"}:
        raise argparse.ArgumentTypeError(
            f"{text!r} is a word of `wg show`, not an interface: name each interface"
        )
    if text in {".", ".."} or not INTERFACE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an interface's name: 1 to 15 letters, digits or _=+.- as wg0"
        )
    return text


def _address(text: str) -> tuple[str, int]:
    try:
        return split_endpoint(f"0.0.0.0{text}" if text.startswith(":") else text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address to listen on: HOST:PORT, as {LISTEN_ADDRESS}, [::1]:9586 or :9586"
        ) from None
