"""Every metric of the exporter. Names stand here alone: code, tests, rules and dashboards refer to them."""

from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric: its name, what it says, and the names of its labels. There is one of each, so `is` compares."""

    name: str
    """Ends in `_total` if, and only if, it is a counter."""
    help: str
    labels: tuple[str, ...] = ()

    def metric(self, samples: list["Sample"]) -> Metric:
        """The samples as prometheus_client wants them."""
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.help, labels=self.labels)
        for sample in samples:
            family.add_metric(sample.labels, sample.value)
        return family


class Sample(NamedTuple):
    """One value of a metric."""

    family: Family
    labels: tuple[str, ...]
    value: float


INTERFACE = ("interface",)
PEER = ("interface", "public_key")
"""And nothing else: endpoints and allowed IPs move in a failover, and each move would start new series."""
COLLECTOR = ("collector",)

INTERFACE_INFO = Family(
    "wireguard_interface_info",
    "Always 1; the labels say what the interface is.",
    ("interface", "public_key", "listen_port"),
)
INTERFACE_UP = Family(
    "wireguard_interface_up",
    "1 if the interface is there and administratively up, 0 if it is down or gone.",
    INTERFACE,
)
INTERFACE_MTU = Family(
    "wireguard_interface_mtu_bytes", "Largest packet that the interface carries.", INTERFACE
)
INTERFACE_PEERS = Family("wireguard_interface_peers", "Configured peers.", INTERFACE)
INTERFACE_ACTIVE_PEERS = Family(
    "wireguard_interface_active_peers",
    "Peers whose latest handshake is younger than 180 s, as long as WireGuard accepts its session.",
    INTERFACE,
)
INTERFACE_NEVER_SEEN_PEERS = Family(
    "wireguard_interface_never_seen_peers",
    "Peers without a handshake since they were configured.",
    INTERFACE,
)
INTERFACE_LAST_HANDSHAKE = Family(
    "wireguard_interface_last_handshake_timestamp_seconds",
    "UNIX time of the newest handshake of any peer; absent if there was none.",
    INTERFACE,
)
INTERFACE_HANDSHAKE_AGE_PEERS = Family(
    "wireguard_interface_handshake_age_peers",
    "Peers whose latest handshake is younger than max_age_seconds; +Inf is all that ever had one.",
    ("interface", "max_age_seconds"),
)
INTERFACE_RECEIVE_BYTES = Family(
    "wireguard_interface_receive_bytes_total", "Bytes received through the tunnel.", INTERFACE
)
INTERFACE_TRANSMIT_BYTES = Family(
    "wireguard_interface_transmit_bytes_total", "Bytes sent through the tunnel.", INTERFACE
)
INTERFACE_RECEIVE_PACKETS = Family(
    "wireguard_interface_receive_packets_total", "Packets received through the tunnel.", INTERFACE
)
INTERFACE_TRANSMIT_PACKETS = Family(
    "wireguard_interface_transmit_packets_total", "Packets sent through the tunnel.", INTERFACE
)
INTERFACE_RECEIVE_ERRORS = Family(
    "wireguard_interface_receive_errors_total", "Received packets that the interface found faulty.", INTERFACE
)
INTERFACE_TRANSMIT_ERRORS = Family(
    "wireguard_interface_transmit_errors_total", "Packets that the interface failed to send.", INTERFACE
)
INTERFACE_RECEIVE_DROPS = Family(
    "wireguard_interface_receive_drops_total", "Received packets that the interface dropped.", INTERFACE
)
INTERFACE_TRANSMIT_DROPS = Family(
    "wireguard_interface_transmit_drops_total", "Packets that were dropped instead of sent.", INTERFACE
)

PEER_LAST_HANDSHAKE = Family(
    "wireguard_peer_last_handshake_timestamp_seconds",
    "UNIX time of the peer's latest handshake; absent if there was none.",
    PEER,
)
PEER_RECEIVE_BYTES = Family("wireguard_peer_receive_bytes_total", "Bytes received from the peer.", PEER)
PEER_TRANSMIT_BYTES = Family("wireguard_peer_transmit_bytes_total", "Bytes sent to the peer.", PEER)
PEER_KEEPALIVE = Family(
    "wireguard_peer_persistent_keepalive_interval_seconds",
    "Time between keepalives to the peer; absent if they are off.",
    PEER,
)

BUILD_INFO = Family(
    "wireguard_exporter_build_info", "Always 1; the labels say what runs.", ("version", "python")
)
COLLECTOR_SUCCESS = Family(
    "wireguard_exporter_collector_success",
    "1 if this scrape could read everything of the collector's, 0 if it could not for at least one interface.",
    COLLECTOR,
)
COLLECTOR_DURATION = Family(
    "wireguard_exporter_collector_duration_seconds",
    "Time that the collector took for this scrape.",
    COLLECTOR,
)

ALL = tuple(value for value in tuple(globals().values()) if isinstance(value, Family))
"""In the order of the page, which is the order of this file."""
