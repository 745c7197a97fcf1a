"""What the exporter can be told, and what each mistake is answered with. Flags are dotted, as exporters' are."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.egress import LEAST_SECONDS
from exporter.peers import Shown
from exporter.probe import Probe, parse_probe
from wgfleet import __version__
from wgfleet.names import check_address, check_interface, split_endpoint

LISTEN_ADDRESS = "127.0.0.1:9586"
"""The field's port, but not the field's 0.0.0.0: a worker stands on the Internet, the page has the public key and the
traffic of each of its peers, and anyone who asks is answered. So it is shown to others only where that is asked for."""

LONGEST_EGRESS_SECONDS = 10.0
"""Prometheus's default scrape timeout: no answer is waited for longer."""

BITS: Mapping[str, float] = {"Mbit": 1e6, "Gbit": 1e9}
"""Per second, as links are sold."""
SPEED = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(Mbit|Gbit)")

DESCRIPTION = """\
Serves what this worker and its WireGuard interfaces do, as metrics for Prometheus: traffic
and state of each interface, how many of its peers are active, how old handshakes are, each
peer's traffic and latest handshake, how loaded the machine is, and whether what lies beyond
it can be reached. Every scrape reads anew; nothing is cached.
"""

EPILOG = """\
examples:
  wgfleet-exporter --interface wg0
      for a Prometheus on this machine
  wgfleet-exporter --interface wg0 --web.listen-address 10.90.0.1:9586
      for one that reaches this machine through the tunnel, at 10.90.0.1
  wgfleet-exporter --interface wg0 --egress.probe icmp:192.0.2.1 --egress.source 10.90.0.1
      says, too, whether 192.0.2.1 answers what comes from the tunnel's address, as a client's
      packets do: a worker whose NAT or forwarding is broken is then left by its clients
  wgfleet-exporter --interface wg0 --interface wg1 --no-peers
      two interfaces, and a page that does not grow with the number of peers

It runs the program `wg`, which needs CAP_NET_ADMIN. A userspace WireGuard is read through
its socket /run/wireguard/NAME.sock instead, which belongs to root: run the exporter as root
there. An ICMP probe needs CAP_NET_RAW where the sysctl net.ipv4.ping_group_range does not
allow it, and --netns needs CAP_SYS_ADMIN. An interface may come and go while the exporter
runs: without it the page says wireguard_interface_up 0.

Exit code: 0 told to stop, 1 the address cannot be listened on or --netns is not there, 2 a flag
or a file that one names is wrong.
"""


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of this command line; ends the process with 2 if one is wrong, or two do not go together."""
    flags = parser()
    arguments = flags.parse_args(words)
    versions = [":" in source for source in arguments.egress_sources]
    if len(versions) > len(set(versions)):
        flags.error(
            f"argument --egress.source: {', '.join(arguments.egress_sources)}: at most one of each family"
        )
    for source in arguments.egress_sources:
        if not any(probe.address.version == (6 if ":" in source else 4) for probe in arguments.egress):
            flags.error(
                f"argument --egress.source: {source}: no --egress.probe is of its family, so it would do nothing"
            )
    return arguments


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
        "--netns",
        metavar="NAME|PATH",
        help="the network namespace that the interfaces are in, as `ip netns` names it, or a path as /proc/123/ns/net. "
        "The page is served outside of it",
    )
    _add_peers(flags)
    _add_worker(flags)
    _add_web(flags)
    flags.add_argument(
        "--log.format",
        dest="log_format",
        choices=("text", "json"),
        default="text",
        help="lines for people or for programs (default: %(default)s)",
    )
    return flags


def _add_peers(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("single peers")
    group.add_argument(
        "--no-peers",
        dest="peers",
        action="store_false",
        help="leave out each peer's own series",
    )
    group.add_argument(
        "--peers.max",
        dest="most_peers",
        type=_whole_number,
        default=Shown().most,
        metavar="N",
        help="peers of each interface that have series of their own (default: %(default)s): those with the smallest "
        "public keys, so always the same ones. wireguard_exporter_peers_dropped says how many have none",
    )
    group.add_argument(
        "--peers.endpoints",
        dest="endpoints",
        action="store_true",
        help="show each peer's endpoint, as a label of wireguard_peer_endpoint_info: a new series at each roam",
    )
    group.add_argument(
        "--peers.allowed-ips",
        dest="allowed_ips",
        action="store_true",
        help="show each peer's allowed IPs, as labels of wireguard_peer_allowed_ips_info",
    )
    group.add_argument(
        "--names.file",
        dest="names",
        type=Path,
        metavar="FILE",
        help="what peers are called, shown by wireguard_peer_info: lines of a public key and a name, or a WireGuard "
        "configuration with `# friendly_name = NAME` in its [Peer] sections. Read again when it changes",
    )
    group.add_argument(
        "--compat.prometheus-wireguard-exporter",
        dest="compatible",
        action="store_true",
        help="add the metrics of prometheus_wireguard_exporter (wireguard_sent_bytes_total, "
        "wireguard_received_bytes_total, wireguard_latest_handshake_seconds, with its labels) for its dashboards",
    )


def _add_worker(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("the worker")
    group.add_argument(
        "--no-load",
        dest="load",
        action="store_false",
        help="leave out CPU, connection tracking, uplink and memory, as where node_exporter tells of them",
    )
    group.add_argument(
        "--uplink.device",
        dest="uplink",
        type=_interface,
        metavar="NAME",
        help="the device that encrypted traffic goes out by (default: that of the default route)",
    )
    group.add_argument(
        "--uplink.speed",
        dest="uplink_speed",
        type=_speed,
        metavar="SPEED",
        help="what it carries in each direction, as 1Gbit or 500Mbit (default: what the kernel says, which virtual "
        "machines do not know)",
    )
    group.add_argument(
        "--egress.probe",
        dest="egress",
        action="append",
        default=[],
        type=_probe,
        metavar="PROBE",
        help="something beyond the worker that must answer, at each scrape: icmp:192.0.2.1, tcp:192.0.2.1:443 or "
        "dns:192.0.2.53/example.org. Repeat it: one answer is enough",
    )
    group.add_argument(
        "--egress.source",
        dest="egress_sources",
        action="append",
        default=[],
        type=_local_address,
        metavar="ADDRESS",
        help="send these probes from this address; once for IPv4 and once for IPv6. Give the worker's tunnel address: the "
        "answer then depends on NAT as a client's does. Not where NAT asks for the interface a packet came in by "
        "(`iifname wg0 masquerade`): the probe begins on the worker itself",
    )
    group.add_argument(
        "--egress.timeout",
        dest="egress_timeout",
        type=_seconds,
        default=2.0,
        metavar="SECONDS",
        help="for an answer (default: %(default)s, and never longer than the scrape may take)",
    )


def _add_web(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("who may read")
    group.add_argument(
        "--web.listen-address",
        dest="listen_address",
        type=_address,
        default=LISTEN_ADDRESS,
        metavar="HOST:PORT",
        help="where to listen (default: %(default)s, because whoever reaches the page may read every peer's "
        "public key and traffic). `:9586` is every IPv4 address, `[::]:9586` every address",
    )
    group.add_argument(
        "--web.config.file",
        dest="web_config",
        type=Path,
        metavar="FILE",
        help="TLS, client certificates and basic authentication, in the form of Prometheus's exporter-toolkit",
    )
    group.add_argument(
        "--web.token-file",
        dest="token_file",
        type=Path,
        metavar="FILE",
        help="a file with the bearer token that a reader must show",
    )


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, as 20000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not LEAST_SECONDS <= seconds <= LONGEST_EGRESS_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: seconds from {LEAST_SECONDS:g} to {LONGEST_EGRESS_SECONDS:g}"
        )
    return seconds


def _speed(text: str) -> float:
    """Bytes per second."""
    found = SPEED.fullmatch(text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: a number and Mbit or Gbit, as 1Gbit")
    return float(found[1]) * BITS[found[2]] / 8


def _probe(text: str) -> Probe:
    try:
        return parse_probe(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _local_address(text: str) -> str:
    try:
        return check_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _interface(text: str) -> str:
    try:
        return check_interface(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _address(text: str) -> tuple[str, int]:
    try:
        return split_endpoint(f"0.0.0.0{text}" if text.startswith(":") else text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address to listen on: HOST:PORT, as {LISTEN_ADDRESS}, [::1]:9586 or :9586"
        ) from None
