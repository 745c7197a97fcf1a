"""Clients and peers: who is there, who never was, who moves the most. Costs grow with the peers of the chosen workers."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter import metrics
from tools.dashboards import looks
from tools.dashboards.page import assembled, interfaces, job, some_workers
from tools.dashboards.panels import About, Ask, Column, bars, lines, number, rows
from tools.dashboards.promql import INTERFACES, PEER, RECEIVER, grown_in_view, named, rate

MOST = 20
"""Rows of a table; one series for each of ten thousand peers can be neither read nor paid for."""
BARS = 10

RECEIVED = f"sum by ({PEER}) ({rate(metrics.PEER_RECEIVE_BYTES.name, INTERFACES)})"
SENT = f"sum by ({PEER}) ({rate(metrics.PEER_TRANSMIT_BYTES.name, INTERFACES)})"
TALKERS = f"topk({MOST}, {RECEIVED} + {SENT})"
IN_ALL = " + ".join(
    f"sum by ({PEER}) ({grown_in_view(counter.name, INTERFACES)})"
    for counter in (metrics.PEER_RECEIVE_BYTES, metrics.PEER_TRANSMIT_BYTES)
)
HANDSHAKE = f"max by ({PEER}) ({metrics.PEER_LAST_HANDSHAKE.name}{{{INTERFACES}}})"
KNOWN = f"max by ({PEER}) ({grown_in_view(metrics.PEER_RECEIVE_BYTES.name, INTERFACES)})"
MOVED = f"topk({MOST}, max by ({PEER}) ({grown_in_view(metrics.PEER_ENDPOINT_CHANGES.name, INTERFACES)}))"
WHO = (
    Column("Name", label="name"),
    Column("Peer", label="public_key"),
    Column("Worker", label="worker"),
    Column("Interface", label="interface"),
)
HEARD = number(
    About(
        "Clients heard",
        "Clients of the whole fleet whose daemon has told the receiver lately what it uses. Phones and other devices without "
        "the daemon do not count here, but among the peers.",
        "short",
    ),
    Ask(f"max(wgfleet_receiver_clients{{{RECEIVER}}})"),
)

BEHIND = number(
    About(
        "Clients behind",
        "Of these, those without the newest document. 0 is good; for a moment after each change it is not.",
        "short",
        ("WireGuardClientsBehind",),
    ),
    Ask(f"max(wgfleet_receiver_clients_behind{{{RECEIVER}}})"),
    steps=looks.NONE_IS_GOOD,
)

CONFIGURED = number(
    About(
        "Peers configured",
        "On the chosen worker that has most. Each worker should have every client: one that has fewer than the others cannot "
        "take over for all.",
        "short",
    ),
    Ask(f"max(sum by (worker) ({metrics.INTERFACE_PEERS.name}{{{INTERFACES}}}))", "most"),
    Ask(f"min(sum by (worker) ({metrics.INTERFACE_PEERS.name}{{{INTERFACES}}}))", "fewest"),
)

ACTIVE = number(
    About(
        "Active peers",
        "Peers with a handshake in the last 180 s, on all chosen workers together. A client with warm standbys is active on "
        "several.",
        "short",
        ("WireGuardHandshakesStalled",),
    ),
    Ask(f"sum({metrics.INTERFACE_ACTIVE_PEERS.name}{{{INTERFACES}}})"),
)

NEVER = number(
    About(
        "Never seen",
        "Peers without any handshake on any of the chosen workers' interfaces since they were configured there, on the "
        "worker that has fewest. Old ones are clients that were never set up, or whose key is wrong.",
        "short",
    ),
    Ask(f"min(sum by (worker) ({metrics.INTERFACE_NEVER_SEEN_PEERS.name}{{{INTERFACES}}}))"),
)

DROPPED = number(
    About(
        "Peers left out",
        "Peers that have no series of their own, because there are more than --peers.max or because of --no-peers. The tables "
        "below do not know them; the sums do.",
        "short",
        ("WireGuardPeersDropped",),
    ),
    Ask(f"max(sum by (worker) ({metrics.PEERS_DROPPED.name}{{{INTERFACES}}}))"),
    steps=looks.NONE_IS_GOOD,
)

TALKING = rows(
    About(
        "Top talkers",
        f"The {MOST} peers with the most traffic on the chosen workers, and how long ago their last handshake was. With "
        "traffic it is never more than 3 min. A peer that sends and gets nothing back has a broken path behind the worker.",
        "none",
    ),
    *WHO,
    Column("From the peer", named(f"({RECEIVED} and {TALKERS})"), looks=tuple(looks.in_unit("Bps"))),
    Column("To the peer", named(f"({SENT} and {TALKERS})"), looks=tuple(looks.in_unit("Bps"))),
    Column(
        "Last handshake",
        named(f"((time() - {HANDSHAKE}) and {TALKERS})"),
        looks=tuple(looks.in_unit("s", ((None, looks.GOOD), (180, looks.WARN)))),
    ),
    worst_first="From the peer",
)

# No graph over time: each of its points would cost as much as this one answer does.
MOVED_MOST = bars(
    About(
        "Most traffic in the time shown",
        f"The {BARS} peers that moved the most, both directions together. One that is far above all others may deserve a "
        "worker of its own.",
        "bytes",
    ),
    Ask(named(f"topk({BARS}, {IN_ALL})"), "{{name}} {{public_key}} on {{worker}}"),
)

SILENT = rows(
    About(
        "Longest silent",
        f"The {MOST} peers whose last handshake is oldest. A client that uses another worker is silent here: choose all "
        "workers, and look for those that are silent on each. Long silent everywhere: gone, or to be revoked.",
        "none",
        ("WireGuardHandshakesStalled",),
    ),
    *WHO,
    Column(
        "Last handshake",
        named(f"topk({MOST}, time() - {HANDSHAKE})"),
        looks=tuple(looks.in_unit("s", ((None, looks.PLAIN),))),
    ),
    worst_first="Last handshake",
    empty="nobody has ever been heard",
)

UNSEEN = rows(
    About(
        "Never seen here",
        f"Up to {MOST} peers that were configured and never had a handshake on this worker. Normal for clients that use others; "
        "never seen anywhere means a wrong key or a device that was never set up.",
        "none",
    ),
    *WHO,
    Column("Bytes received", named(f"topk({MOST}, {KNOWN} unless {HANDSHAKE})"), looks=tuple(looks.in_unit("bytes"))),
    empty="everybody has been seen",
)  # fmt: skip

ROAMING = rows(
    About(
        "Most moves",
        f"The {MOST} peers that changed their endpoint most often in the time shown. Phones do; a machine that stands still "
        "and moves all the time has two places with one key, or a NAT that forgets.",
        "none",
    ),
    *WHO,
    Column("Moves", named(MOVED), looks=tuple(looks.in_unit("short"))),
    worst_first="Moves",
    empty="nobody has moved",
)

PEERS = lines(
    About(
        "Active and configured peers",
        "By worker. Active falls on one worker and rises on others: a failover. Active falls everywhere: clients cannot reach "
        "the fleet. Configured falls: peers were removed.",
        "short",
        ("WireGuardHandshakesStalled", "WireGuardPeersDropped"),
    ),
    Ask(f"sum by (worker) ({metrics.INTERFACE_ACTIVE_PEERS.name}{{{INTERFACES}}})", "{{worker}} active"),
    Ask(f"sum by (worker) ({metrics.INTERFACE_PEERS.name}{{{INTERFACES}}})", "{{worker}} configured"),
)


def page() -> Dashboard:
    """The page."""
    return assembled(
        "wgfleet-clients",
        "wgfleet / Clients and peers",
        "Who is there, who never was, and who moves the most. It begins with one worker, because its cost grows with the peers.",
        variables=[
            job(metrics.BUILD_INFO.name),
            some_workers(metrics.BUILD_INFO.name + '{job=~"$job"}'),
            interfaces(f'{metrics.INTERFACE_UP.name}{{job=~"$job", worker=~"$worker"}}'),
        ],
        rows=[
            (4, [(4, panel) for panel in (HEARD, BEHIND, CONFIGURED, ACTIVE, NEVER, DROPPED)]),
            (11, [(24, TALKING)]),
            (9, [(12, PEERS), (12, MOVED_MOST)]),
            (9, [(8, SILENT), (8, UNSEEN), (8, ROAMING)]),
        ],
        refresh="1m",
    )
