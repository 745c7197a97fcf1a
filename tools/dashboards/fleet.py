"""The fleet at a glance: is it all right, and if not, who."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter import metrics
from tools.dashboards import looks
from tools.dashboards.page import assembled, job, workers
from tools.dashboards.panels import RUNBOOKS, About, Ask, Column, bars, lines, number, rows, timeline
from tools.dashboards.promql import FOR_PEOPLE, RECEIVER, WORKERS, in_state, rate, state_code

WORKER = 'worker=~"$worker"'
TO_WORKER = "/d/wgfleet-worker?${__url_time_range}&var-datasource=${datasource}&var-worker=${__value.raw}"
TO_RUNBOOK = f"{RUNBOOKS}/${{__value.raw}}.md"
FIRING = f'ALERTS{{alertstate="firing", {FOR_PEOPLE}}}'
BOTH_WAYS = " + ".join(
    rate(counter.name, WORKERS)
    for counter in (metrics.INTERFACE_RECEIVE_BYTES, metrics.INTERFACE_TRANSMIT_BYTES)
)

MONITORING = number(
    About(
        "Monitoring",
        "Live: the receiver hears the Watchdog. Blind: it does not, or no vantage sees anything. Then every state is frozen "
        "and clients stay where they are; the failover pipeline shows which part is silent.",
        "none",
        ("Watchdog", "WireGuardVantageBlind"),
    ),
    Ask(f"min(wgfleet_receiver_monitoring_live{{{RECEIVER}}})"),
    words=looks.LIVE,
)

_SERVING = in_state(f'{WORKER}, state="serving"')
SERVING = number(
    About(
        "Workers that serve",
        "Of all registered ones. 100 % is good. Below half, monitoring takes nobody out any more: the states become "
        "suspect, and clients trust only their own probes.",
        "percentunit",
        ("WireGuardWorkerDown",),
    ),
    Ask(f"sum({_SERVING}) / count({_SERVING})"),
    steps=looks.ALL_IS_GOOD,
)

ALERTS = number(
    About(
        "Alerts for people",
        "Firing alerts of severity critical and warning. 0 is good; otherwise the table below says which, and each has a "
        "runbook.",
        "short",
    ),
    Ask(f"count({FIRING}) or vector(0)"),
    steps=looks.NONE_IS_GOOD,
)

CLIENTS = number(
    About(
        "Clients heard",
        "Clients whose daemon has told the receiver lately what it uses. A sudden fall means that clients lost their "
        "way to the receiver, not that they lost their tunnel.",
        "short",
    ),
    Ask(f"max(wgfleet_receiver_clients{{{RECEIVER}}})"),
)

BEHIND = number(
    About(
        "Clients behind",
        "Clients heard lately that have not applied the newest document. It rises for a moment at each change and goes "
        "back to 0; if it stays, those clients may use a worker that is down.",
        "short",
        ("WireGuardClientsBehind",),
    ),
    Ask(f"max(wgfleet_receiver_clients_behind{{{RECEIVER}}})"),
    steps=looks.NONE_IS_GOOD,
)

GENERATION = number(
    About(
        "Generation",
        "The number of the published peer set, within its epoch. It rises with each change and each renewal and never goes "
        "back; a new epoch means that a backup was restored.",
        "none",
    ),
    Ask(f"max(wgfleet_receiver_epoch{{{RECEIVER}}})", "epoch"),
    Ask(f"max(wgfleet_receiver_generation{{{RECEIVER}}})", "generation"),
)

TABLE = rows(
    About(
        "Workers",
        "The worst state first. Serving is good; joining and draining pass by themselves. Answered: the share of the last "
        "probes through the tunnel, from the vantage that sees least. Egress: can the worker reach what lies beyond it. A "
        "click on a name opens the worker's page.",
        "none",
        ("WireGuardWorkerDown", "WireGuardWorkerDegraded"),
    ),
    Column("Worker", label="worker", looks=tuple(looks.linked("This worker's page", TO_WORKER))),
    Column("State", state_code(), looks=tuple(looks.as_words(looks.STATES))),
    Column(
        "Answered",
        f"min by (worker) (wgfleet:worker_answered:ratio{{{WORKER}}})",
        looks=tuple(looks.in_unit("percentunit", looks.ALL_IS_GOOD)),
    ),
    Column(
        "Egress",
        f"min by (worker) ({metrics.WORKER_EGRESS.name}{{{WORKERS}}})",
        looks=tuple(looks.as_words(looks.ANSWERS)),
    ),
    Column("Clients", f"max by (worker) (wgfleet_receiver_worker_clients{{{RECEIVER}, {WORKER}}})"),
    Column(
        "Load",
        f"max by (worker) ({metrics.WORKER_LOAD.name}{{{WORKERS}}})",
        looks=tuple(looks.in_unit("percentunit", looks.LOAD)),
    ),
    Column("Traffic", f"sum by (worker) ({BOTH_WAYS})", looks=tuple(looks.in_unit("Bps"))),
    key="worker",
    worst_first="State",
)

FIRING_NOW = rows(
    About(
        "Firing alerts",
        "What fires now, and for how long. Empty is good. A click on a name opens its runbook: what it means, what has "
        "been done already, what is left to do.",
        "none",
    ),
    Column("Alert", label="alertname", looks=tuple(looks.linked("Runbook", TO_RUNBOOK))),
    Column("Worker", label="worker"),
    Column("Severity", label="severity"),
    Column(
        "For",
        f"(time() - ALERTS_FOR_STATE{{{FOR_PEOPLE}}}) and ignoring (alertstate) {FIRING}",
        looks=tuple(looks.in_unit("s")),
    ),
    empty="nothing fires",
)

STATES = timeline(
    About(
        "Published states",
        "What clients were told of each worker, and when. Green all along is good. Orange (suspect) on many rows at once: "
        "monitoring saw too many down to believe it.",
        "none",
        ("WireGuardWorkerDown", "WireGuardWorkerUp"),
    ),
    Ask(state_code(), "{{worker}}"),
    words=looks.STATES,
)

BY_STATE = bars(
    About(
        "Workers in each state",
        "How many. Only serving should have any for long; banned ones are an operator's decision.",
        "short",
    ),
    Ask(f"sum by (state) ({in_state(WORKER, by='worker, state')})", "{{state}}"),
)

CLIENTS_BY_WORKER = lines(
    About(
        "Clients on each worker",
        "Clients that said lately that this worker carries their traffic. A failover moves one worker's share to the "
        "others; a share that stays far above the rest calls for other weights.",
        "short",
    ),
    Ask(f"max by (worker) (wgfleet_receiver_worker_clients{{{RECEIVER}, {WORKER}}})", "{{worker}}"),
    stacked=True,
)

LOAD = lines(
    About(
        "Load against capacity",
        "Each worker's busiest resource, 1 being all of it. Above the upper line, over five minutes, WireGuardWorkerOverloaded lowers its "
        "weight, so that new clients go elsewhere; if all are near it, add a worker. The worker's page shows which part.",
        "percentunit",
        ("WireGuardWorkerOverloaded", "WireGuardWorkerSaturated"),
    ),
    Ask(f"max by (worker) ({metrics.WORKER_LOAD.name}{{{WORKERS}}})", "{{worker}}"),
    steps=looks.LOAD,
    most=1,
)

TRAFFIC = lines(
    About(
        "Traffic through the tunnels",
        "By the interfaces' own counters: from clients upwards, to clients downwards. At a failover it moves from one worker "
        "to others; if the sum falls and stays low, clients are not reaching anybody.",
        "Bps",
        ("WireGuardHandshakesStalled",),
    ),
    Ask(
        f"sum by (worker) ({rate(metrics.INTERFACE_RECEIVE_BYTES.name, WORKERS)})", "{{worker}} from clients"
    ),
    Ask(f"sum by (worker) ({rate(metrics.INTERFACE_TRANSMIT_BYTES.name, WORKERS)})", "{{worker}} to clients"),
    stacked=True,
    below=(1,),
)

ANSWERED = lines(
    About(
        "Probes answered",
        "The share of the last probes through the tunnel that each worker answered, from the vantage that sees least. 1 is "
        "good, a dip is a lost packet, 0 is a worker that is down.",
        "percentunit",
        ("WireGuardWorkerDown", "WireGuardProbeMissing"),
    ),
    Ask(f"min by (worker) (wgfleet:worker_answered:ratio{{{WORKER}}})", "{{worker}}"),
    most=1,
)


def page() -> Dashboard:
    """The page."""
    return assembled(
        "wgfleet-fleet",
        "wgfleet / Fleet",
        "Who serves, who does not, and how loaded the fleet is.",
        variables=[
            job(metrics.BUILD_INFO.name),
            workers(f"wgfleet_receiver_worker_state{{{RECEIVER}}}"),
        ],
        rows=[
            (4, [(4, panel) for panel in (MONITORING, SERVING, ALERTS, CLIENTS, BEHIND, GENERATION)]),
            (9, [(15, TABLE), (9, FIRING_NOW)]),
            (9, [(17, STATES), (7, BY_STATE)]),
            (9, [(12, CLIENTS_BY_WORKER), (12, LOAD)]),
            (9, [(12, TRAFFIC), (12, ANSWERED)]),
        ],
        refresh="30s",
    )
