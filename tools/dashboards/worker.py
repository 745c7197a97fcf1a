"""One worker: does it answer, does it forward, what limits it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter import metrics
from tools.dashboards import looks
from tools.dashboards.page import assembled, interfaces, job, one_worker
from tools.dashboards.panels import About, Ask, events, lines, number, timeline
from tools.dashboards.promql import INTERFACES, PROBES, RECEIVER, WORKERS, grown, rate, state_code

WORKER = 'worker=~"$worker"'
# Not of the chosen jobs: "all" of them would be the probes' as well.
EXPORTER = 'job="wgfleet-worker", worker=~"$worker"'
IN_USE = f"{metrics.WORKER_CONNTRACK_ENTRIES.name}{{{WORKERS}}}"

STATE = number(
    About(
        "Published state",
        "What clients are told. Serving: may be used. Joining: kept warm until it is proven. Draining: left without haste. "
        "Suspect: clients trust their own probe. Down: left. Banned: never used.",
        "none",
        ("WireGuardWorkerDown", "WireGuardWorkerUp"),
    ),
    Ask(state_code()),
    words=looks.STATES,
)

ANSWERED = number(
    About(
        "Probes answered",
        "The share of the last probes through the tunnel, from the vantage that sees least. 100 % is good; at 0 the worker is "
        "taken out, if the vantage itself is sane.",
        "percentunit",
        ("WireGuardWorkerDown", "WireGuardProbeMissing"),
    ),
    Ask(f"min(wgfleet:worker_answered:ratio{{{WORKER}}})"),
    steps=looks.ALL_IS_GOOD,
)

EGRESS = number(
    About(
        "Egress",
        "Whether the worker forwards packets and something beyond it answers. If not while the tunnel answers, its "
        "forwarding, NAT or uplink is broken, and it is taken out as degraded. Empty without --egress.probe.",
        "none",
        ("WireGuardWorkerDegraded",),
    ),
    Ask(f"min({metrics.WORKER_EGRESS.name}{{{WORKERS}}})"),
    words=looks.ANSWERS,
).no_value("not probed")

LOAD_NOW = number(
    About(
        "Load",
        "Its busiest resource, 100 % being all of it. From 85 % on it is spared: its weight falls and new clients go "
        "elsewhere. The parts are below.",
        "percentunit",
        ("WireGuardWorkerOverloaded", "WireGuardWorkerSaturated"),
    ),
    Ask(f"max({metrics.WORKER_LOAD.name}{{{WORKERS}}})"),
    steps=looks.LOAD,
)

CLIENTS = number(
    About(
        "Clients",
        "Clients that said lately that this worker carries their traffic. A worker that serves and has none for long is not "
        "chosen: look at its weight and at its clients' probes.",
        "short",
    ),
    Ask(f"max(wgfleet_receiver_worker_clients{{{RECEIVER}, {WORKER}}})"),
)

PEERS = number(
    About(
        "Active peers",
        "Peers with a handshake in the last 180 s, of those configured. Idle standbys without keepalive are not active; a fall "
        "of many at once is trouble.",
        "short",
        ("WireGuardHandshakesStalled",),
    ),
    Ask(f"sum({metrics.INTERFACE_ACTIVE_PEERS.name}{{{INTERFACES}}})", "active"),
    Ask(f"sum({metrics.INTERFACE_PEERS.name}{{{INTERFACES}}})", "configured"),
)

PROBED = timeline(
    About(
        "Probes and exporter",
        "Which probe was answered when, by vantage, and whether the exporter was. Only the tunnel fails: its WireGuard "
        "is dead. All fail: the host or its line is. One vantage fails: the way there. A collector fails: the exporter's "
        "log says why.",
        "none",
        ("WireGuardWorkerDown", "WireGuardExporterDown", "WireGuardCollectorFailed"),
    ),
    Ask(f"min by (job, vantage) (probe_success{{{PROBES}}})", "{{job}} from {{vantage}}"),
    Ask(f"min by (job) (up{{{EXPORTER}}})", "exporter"),
    Ask(f"min by (collector) ({metrics.COLLECTOR_SUCCESS.name}{{{WORKERS}}})", "collector {{collector}}"),
    words=looks.ANSWERS,
)

ROUND_TRIP = lines(
    About(
        "Round trip",
        "ICMP echo through the tunnel and to the public address, by vantage. The same in both: the network. Only the "
        "tunnel slow: the worker's CPU or a full queue.",
        "s",
        ("WireGuardWorkerOverloaded",),
    ),
    Ask(
        f'max by (job, vantage) (probe_icmp_duration_seconds{{{PROBES}, phase="rtt"}})',
        "{{job}} from {{vantage}}",
    ),
)

LOAD_PARTS = lines(
    About(
        "Load by part",
        "How much of each resource is in use over the last half minute. The highest is the load. cpu_busiest near 1 while cpu "
        "is low: one CPU does all of WireGuard's work, so spread the receive queues.",
        "percentunit",
        ("WireGuardWorkerOverloaded", "WireGuardWorkerSaturated"),
    ),
    Ask(f"max by (part) ({metrics.WORKER_LOAD_PART.name}{{{WORKERS}}})", "{{part}}"),
    steps=looks.LOAD,
    most=1,
)

TRAFFIC = lines(
    About(
        "Tunnel traffic",
        "From clients upwards, to clients downwards, by the interface's own counters. Only one direction for minutes: "
        "replies are lost on one side of this worker.",
        "Bps",
    ),
    Ask(f"sum by (interface) ({rate(metrics.INTERFACE_RECEIVE_BYTES.name, INTERFACES)})", "{{interface}} from clients"),
    Ask(f"sum by (interface) ({rate(metrics.INTERFACE_TRANSMIT_BYTES.name, INTERFACES)})", "{{interface}} to clients"),
    below=(1,),
)  # fmt: skip

_LOST = {
    "receive errors": metrics.INTERFACE_RECEIVE_ERRORS,
    "transmit errors": metrics.INTERFACE_TRANSMIT_ERRORS,
    "receive drops": metrics.INTERFACE_RECEIVE_DROPS,
    "transmit drops": metrics.INTERFACE_TRANSMIT_DROPS,
}
LOST = lines(
    About(
        "Tunnel errors and drops",
        "Packets a second that the interface lost. 0 is good. Transmit drops: packets for peers without a session or an "
        "endpoint, or a full queue. Receive errors: broken or forged packets.",
        "pps",
        ("WireGuardInterfaceDrops",),
    ),
    *(Ask(f"sum({rate(family.name, INTERFACES)})", name) for name, family in _LOST.items()),
)

AGES = lines(
    About(
        "Peers by age of their handshake",
        "How many peers have had a handshake within 30 s, 2 min, 3 min, 10 min, an hour, ever; and how many never. With "
        "traffic a handshake is never older than 2 min; lines that part mean clients that left.",
        "short",
        ("WireGuardHandshakesStalled",),
    ),
    Ask(
        f"sum by (max_age_seconds) ({metrics.INTERFACE_HANDSHAKE_AGE_PEERS.name}{{{INTERFACES}}})",
        "within {{max_age_seconds}} s",
    ),
    Ask(f"sum({metrics.INTERFACE_NEVER_SEEN_PEERS.name}{{{INTERFACES}}})", "never"),
)

CONNTRACK = lines(
    About(
        "Tracked connections",
        "What the kernel holds for NAT, and how many it can. At the limit new connections are dropped while the tunnel still "
        "answers: raise net.netfilter.nf_conntrack_max before.",
        "short",
        ("WireGuardConntrackNearLimit",),
    ),
    Ask(f"max({IN_USE})", "in use"),
    Ask(f"max({metrics.WORKER_CONNTRACK_LIMIT.name}{{{WORKERS}}})", "limit"),
)

UPLINK = lines(
    About(
        "Uplink",
        "Bytes a second on the line, received upwards and sent downwards, and what it carries if that is known. Encrypted "
        "traffic passes twice: in from the client, out to the world.",
        "Bps",
        ("WireGuardWorkerSaturated",),
    ),
    Ask(
        f"sum by (device) ({rate(metrics.WORKER_UPLINK_RECEIVE_BYTES.name, WORKERS)})", "{{device}} received"
    ),
    Ask(f"sum by (device) ({rate(metrics.WORKER_UPLINK_TRANSMIT_BYTES.name, WORKERS)})", "{{device}} sent"),
    Ask(f"max by (device) ({metrics.WORKER_UPLINK_SPEED.name}{{{WORKERS}}})", "{{device}} speed"),
    below=(1,),
)

BEYOND = lines(
    About(
        "Egress probes",
        "How long each probe of what lies beyond the worker took. A probe that fails takes as long as its timeout; one of "
        "several that fails harms nobody, all of them are a degraded worker.",
        "s",
        ("WireGuardWorkerDegraded",),
    ),
    Ask(f"max by (probe) ({metrics.WORKER_EGRESS_DURATION.name}{{{WORKERS}}})", "{{probe}}"),
)

STACK = events(
    About(
        "Drops below the tunnel",
        "Packets that the kernel lost before WireGuard saw them, and soft interrupts cut short. 0 is good. Receive buffer: "
        "raise net.core.rmem_max. Backlog: raise net.core.netdev_max_backlog or spread the receive queues.",
        "short",
        ("WireGuardWorkerDropsPackets",),
    ),
    Ask(f"sum({grown(metrics.WORKER_UDP_BUFFER_ERRORS.name, WORKERS)})", "UDP receive buffer full"),
    Ask(f"sum({grown(metrics.WORKER_SOFTNET_DROPPED.name, WORKERS)})", "backlog full"),
    Ask(f"sum({grown(metrics.WORKER_SOFTNET_SQUEEZED.name, WORKERS)})", "budget used up"),
)


def page() -> Dashboard:
    """The page."""
    return assembled(
        "wgfleet-worker",
        "wgfleet / Worker",
        "Whether one worker answers and forwards, and what limits it.",
        variables=[
            job(metrics.BUILD_INFO.name),
            one_worker(f"wgfleet_receiver_worker_state{{{RECEIVER}}}"),
            interfaces(f"{metrics.INTERFACE_UP.name}{{{WORKERS}}}"),
        ],
        rows=[
            (4, [(4, panel) for panel in (STATE, ANSWERED, EGRESS, LOAD_NOW, CLIENTS, PEERS)]),
            (9, [(12, PROBED), (12, LOAD_PARTS)]),
            (8, [(12, TRAFFIC), (12, ROUND_TRIP)]),
            (8, [(8, LOST), (8, STACK), (8, BEYOND)]),
            (8, [(8, AGES), (8, CONNTRACK), (8, UPLINK)]),
        ],
        refresh="30s",
    )
