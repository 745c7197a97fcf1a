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

    @property
    def kind(self) -> str:
        """The metric's type, as it stands on a page."""
        return "counter" if self.name.endswith("_total") else "gauge"

    def metric(self, samples: list["Sample"]) -> Metric:
        """The samples as prometheus_client wants them."""
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
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
    "Always 1; the labels say what the interface is. backend is kernel or userspace.",
    ("interface", "public_key", "listen_port", "backend"),
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
PEER_ENDPOINT_CHANGES = Family(
    "wireguard_peer_endpoint_changes_total",
    "Times that the peer was seen at another endpoint than before, since the exporter began.",
    PEER,
)
PEER_INFO = Family(
    "wireguard_peer_info",
    "Always 1; what the peer is called. Only for peers that have a name.",
    (*PEER, "name"),
)
PEER_ENDPOINT_INFO = Family(
    "wireguard_peer_endpoint_info",
    "Always 1; where the peer was heard last. Only with --peers.endpoints.",
    (*PEER, "endpoint"),
)
PEER_ALLOWED_IPS_INFO = Family(
    "wireguard_peer_allowed_ips_info",
    "Always 1; a network that is routed to the peer. Only with --peers.allowed-ips.",
    (*PEER, "allowed_ips"),
)

WORKER_CPU_SECONDS = Family(
    "wireguard_worker_cpu_seconds_total", "Time that all CPUs spent in each mode.", ("mode",)
)
WORKER_CPUS = Family("wireguard_worker_cpus", "CPUs that are online.")
WORKER_SOFTNET_PROCESSED = Family(
    "wireguard_worker_softnet_processed_packets_total",
    "Packets that the network's soft interrupts took in since the exporter began.",
)
WORKER_SOFTNET_DROPPED = Family(
    "wireguard_worker_softnet_dropped_packets_total",
    "Packets dropped since the exporter began because a CPU's backlog was full.",
)
WORKER_SOFTNET_SQUEEZED = Family(
    "wireguard_worker_softnet_squeezed_total",
    "Times since the exporter began that a soft interrupt of the network ran out of its budget with work left.",
)
WORKER_CONNTRACK_ENTRIES = Family(
    "wireguard_worker_conntrack_entries", "Connections that connection tracking holds."
)
WORKER_CONNTRACK_LIMIT = Family(
    "wireguard_worker_conntrack_limit", "Connections that connection tracking can hold."
)
WORKER_UPLINK_SPEED = Family(
    "wireguard_worker_uplink_speed_bytes",
    "Bytes per second that the uplink carries in each direction.",
    ("device",),
)
WORKER_UPLINK_RECEIVE_BYTES = Family(
    "wireguard_worker_uplink_receive_bytes_total", "Bytes received by the uplink.", ("device",)
)
WORKER_UPLINK_TRANSMIT_BYTES = Family(
    "wireguard_worker_uplink_transmit_bytes_total", "Bytes sent by the uplink.", ("device",)
)
WORKER_UDP_BUFFER_ERRORS = Family(
    "wireguard_worker_udp_receive_buffer_errors_total",
    "UDP packets dropped because a socket's receive buffer was full, IPv4 and IPv6.",
)
WORKER_MEMORY_AVAILABLE = Family(
    "wireguard_worker_memory_available_bytes", "Memory that can be had without swapping."
)
WORKER_MEMORY_TOTAL = Family("wireguard_worker_memory_bytes", "Memory that there is.")
WORKER_LOAD_PART = Family(
    "wireguard_worker_load_part_ratio",
    "How much of one thing is gone, from 0 to 1, over the last half minute: cpu (all CPUs), cpu_busiest (the CPU with the "
    "most interrupts, by these), uplink (the busier direction), conntrack, memory (of the last fifth of it).",
    ("part",),
)
WORKER_LOAD = Family(
    "wireguard_worker_load_ratio",
    "How loaded the worker is, from 0 to 1: the largest of wireguard_worker_load_part_ratio.",
)

WORKER_FORWARDING = Family(
    "wireguard_worker_forwarding", "1 if the kernel forwards packets of the family (ipv4, ipv6).", ("family",)
)
WORKER_EGRESS = Family(
    "wireguard_worker_egress_up",
    "1 if packets are forwarded and something beyond the worker answered just now, 0 if not. Absent without --egress.probe.",
)
WORKER_EGRESS_PROBE = Family(
    "wireguard_worker_egress_probe_success",
    "1 if what lies beyond the worker answered this probe of it just now.",
    ("probe",),
)
WORKER_EGRESS_DURATION = Family(
    "wireguard_worker_egress_probe_duration_seconds", "Time that the probe took.", ("probe",)
)

BUILD_INFO = Family(
    "wireguard_exporter_build_info", "Always 1; the labels say what runs.", ("version", "revision", "python")
)
ACTIVE_MAX_AGE = Family(
    "wireguard_exporter_active_max_age_seconds",
    "Age of a latest handshake below which a peer counts as active.",
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
PEERS_EXPORTED = Family(
    "wireguard_exporter_peers_exported", "Peers that have series of their own on this page.", INTERFACE
)
PEERS_DROPPED = Family(
    "wireguard_exporter_peers_dropped",
    "Peers that have none, because there are more than --peers.max or because of --no-peers.",
    INTERFACE,
)

ALL = tuple(value for value in tuple(globals().values()) if isinstance(value, Family))
"""In the order of the page, which is the order of this file."""
