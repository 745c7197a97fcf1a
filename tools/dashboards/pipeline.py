"""The failover pipeline: how long each stage takes from a failed probe to the last client, and where it is stuck."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from tools.dashboards import looks
from tools.dashboards.page import assembled, probe, workers
from tools.dashboards.panels import About, Ask, bars, events, lines, number, timeline
from tools.dashboards.promql import (
    FOLLOWER,
    GROUPS,
    PROMETHEUS,
    RECEIVER,
    WEBHOOK,
    grown,
    quantile,
    rate,
)

WORKER = 'worker=~"$worker"'
PROBED = 'job=~"$probe", worker=~"$worker"'
LATENCY = "alertmanager_notification_latency_seconds"
DELAY, WEBHOOK_TIME, PROPAGATION = (
    f"wgfleet_receiver_{name}_seconds" for name in ("alert_delay", "webhook_duration", "propagation")
)
EVALUATED = f"prometheus_rule_group_last_evaluation_timestamp_seconds{{{GROUPS}}}"
EVERY = f"prometheus_rule_group_interval_seconds{{{GROUPS}}}"
GENERATION = "wgfleet_receiver_generation"
HEARD = f"wgfleet_receiver_watchdog_heard_timestamp_seconds{{{RECEIVER}}}"

MONITORING = number(
    About(
        "Monitoring",
        "Live: the receiver hears what it should. Blind: it does not, so it changes nothing by itself. Look at the "
        "Watchdog, then from left to right for the first stage that stands still.",
        "none",
        ("Watchdog", "WireGuardReceiverBlind"),
    ),
    Ask(f"min(wgfleet_receiver_monitoring_live{{{RECEIVER}}})"),
    words=looks.LIVE,
)

WATCHDOG = number(
    About(
        "Watchdog heard",
        "How long before the last scrape of the receiver it heard the Watchdog, which fires every 5 s. Above 20 s it calls "
        "itself blind: Prometheus or Alertmanager is dead, or cut off from it.",
        "s",
        ("Watchdog", "WireGuardReceiverBlind"),
    ),
    Ask(f"max(timestamp({HEARD}) - {HEARD})"),
    steps=looks.WATCHDOG,
)

BEHIND = number(
    About(
        "Clients behind",
        "Clients heard lately without the newest document. 0 is good; for a moment after each change it is not. If it stays, "
        "their way to the receiver or their daemon is broken.",
        "short",
        ("WireGuardClientsBehind",),
    ),
    Ask(f"max(wgfleet_receiver_clients_behind{{{RECEIVER}}})"),
    steps=looks.NONE_IS_GOOD,
)

STOPPED = number(
    About(
        "Stopped serving",
        "How often in the time shown a worker that served ceased to: down, suspect, or drained. The annotations on this "
        "page say who and when.",
        "short",
        ("WireGuardWorkerDown",),
    ),
    Ask(
        f'sum(max by (worker) (resets(wgfleet_receiver_worker_state{{{RECEIVER}, {WORKER}, state="serving"}}[$__range])))'
    ),
)

STAGES = bars(
    About(
        "Where the time goes",
        "The slowest of each stage in the time shown, in the order of the way: the probe, the rules' evaluation, Prometheus "
        "to Alertmanager, Alertmanager to the receiver, the receiver's own work until the change is durable, and from "
        "publication to the clients' word that they have it. The wait for three failed probes comes before all of them "
        "and is by far the longest. Anything here above a second is worth a look.",
        "s",
        ("WireGuardRulesLate", "WireGuardReceiverFailing", "WireGuardClientsBehind"),
    ),
    Ask(f"max(max_over_time(probe_duration_seconds{{{PROBED}}}[$__range]))", "1 probe, longest"),
    Ask(
        f"max(max_over_time(prometheus_rule_group_last_duration_seconds{{{GROUPS}}}[$__range]))",
        "2 rules, longest",
    ),
    Ask(
        f'max(max_over_time(prometheus_notifications_latency_seconds{{{PROMETHEUS}, quantile="0.99"}}[$__range]))',
        "3 to Alertmanager, 99th percentile",
    ),
    Ask(quantile(0.99, LATENCY, WEBHOOK, in_view=True), "4 to the receiver, 99th percentile"),
    Ask(quantile(0.99, WEBHOOK_TIME, RECEIVER, in_view=True), "5 receiver, 99th percentile"),
    Ask(quantile(0.99, PROPAGATION, RECEIVER, in_view=True), "6 to the clients, 99th percentile"),
    steps=((None, looks.GOOD), (1, looks.WARN), (5, looks.BAD)),
)

SIGHT = timeline(
    About(
        "Who could see",
        "Yes all along is good. A vantage says no when nothing at all answers it: then it takes no worker out. The receiver "
        "says no when it is blind: states were frozen for that time.",
        "none",
        ("WireGuardVantageBlind", "WireGuardVantageMissing", "WireGuardReceiverBlind"),
    ),
    Ask(f"min by (job) (wgfleet_receiver_monitoring_live{{{RECEIVER}}})", "receiver"),
    Ask("max by (vantage) (wgfleet:vantage_sane)", "vantage {{vantage}}"),
    Ask('min by (job) (up{job=~"wgfleet-(receiver|prometheus|alertmanager|blackbox)"})', "{{job}} is up"),
    words=looks.ANSWERS,
)

PROBES = lines(
    About(
        "1. Probes",
        "How long the slowest probe of each kind took. A dead worker costs the whole timeout; probes of healthy workers near "
        "the timeout mean false alarms soon.",
        "s",
        ("WireGuardProbeMissing", "WireGuardVantageBlind"),
    ),
    Ask(f"max by (job, vantage) (probe_duration_seconds{{{PROBED}}})", "{{job}} from {{vantage}}"),
)

RULES = lines(
    About(
        "2. Rules against their interval",
        "How long each group's evaluation took, and how long before the scrape it last began, as shares of the interval at "
        "which it should begin. Below 100 % is good. Above, Prometheus is short of CPU, and every failover is late by "
        "as much.",
        "percentunit",
        ("WireGuardRulesLate",),
    ),
    Ask(
        f"max by (rule_group) (prometheus_rule_group_last_duration_seconds{{{GROUPS}}} / {EVERY})",
        "{{rule_group}} takes",
    ),
    Ask(
        f"max by (rule_group) ((timestamp({EVALUATED}) - {EVALUATED}) / {EVERY})",
        "{{rule_group}} began before",
    ),
    steps=((None, looks.GOOD), (1, looks.BAD)),
)

NOTIFICATIONS = lines(
    About(
        "3 and 4. Alertmanager",
        "How long Prometheus took to tell Alertmanager, and Alertmanager to tell the receiver. Milliseconds are good. The "
        "second contains the receiver's own time: compare with the next panel.",
        "s",
        ("WireGuardAlertmanagerUnreachable", "WireGuardReceiverFailing"),
    ),
    Ask(
        f'max by (alertmanager) (prometheus_notifications_latency_seconds{{{PROMETHEUS}, quantile="0.99"}})',
        "to {{alertmanager}}, 99th percentile",
    ),
    Ask(quantile(0.99, LATENCY, WEBHOOK), "to the receiver, 99th percentile"),
)

HEARING = lines(
    About(
        "4. Alerts' delay",
        "From the moment an alert began to fire in Prometheus until the receiver heard of it by webhook, 95th percentile. "
        "Points only where an alert came. Below two seconds is good; more means an Alertmanager that groups, waits or retries.",
        "s",
        ("WireGuardReceiverFailing", "WireGuardAlertmanagerUnreachable"),
    ),
    Ask(quantile(0.95, DELAY, RECEIVER, by="le, alertname"), "{{alertname}}"),
)

RECEIVING = lines(
    About(
        "5 and 6. Receiver and clients",
        "The receiver's time for a webhook until its change is durable, and from publication until a client said that it "
        "has the document; 99th percentile. A slow disk shows in the first, a slow network in the second.",
        "s",
        ("WireGuardStoreFailing", "WireGuardClientsBehind"),
    ),
    Ask(quantile(0.99, WEBHOOK_TIME, RECEIVER), "webhook"),
    Ask(quantile(0.99, PROPAGATION, RECEIVER), "publication to client"),
)

CLIENTS = lines(
    About(
        "Clients' hearing",
        "Open event streams, by which clients hear of a change at once; clients heard lately, and those behind. Streams "
        "that fall together: the receiver restarted, or its proxy cuts idle connections.",
        "short",
        ("WireGuardClientsBehind", "WireGuardReceiverDown"),
    ),
    Ask(f"sum(wgfleet_receiver_watchers{{{RECEIVER}}})", "event streams"),
    Ask(f"max(wgfleet_receiver_clients{{{RECEIVER}}})", "clients heard"),
    Ask(f"max(wgfleet_receiver_clients_behind{{{RECEIVER}}})", "clients behind"),
)

ACKS = lines(
    About(
        "Clients' words",
        "How often a second clients said what they have applied. A burst follows each change; silence after a change means "
        "that nobody heard of it.",
        "cps",
        ("WireGuardClientsBehind",),
    ),
    Ask(f"sum({rate('wgfleet_receiver_acks_total', RECEIVER)})", "acknowledgements"),
)

DECISIONS = events(
    About(
        "Decisions",
        "Changes of published states, with their reason. Few is good. The same worker to and fro: it flaps, and its hold-down "
        "doubles each time.",
        "short",
        ("WireGuardWorkerDown", "WireGuardWorkerDegraded"),
    ),
    Ask(f"sum by (state, reason) ({grown('wgfleet_receiver_decisions_total', RECEIVER)})", "{{state}}: {{reason}}"),
)  # fmt: skip

FAILURES = events(
    About(
        "Failures along the way",
        "Whatever went wrong between a rule and the document. 0 is good. By their order: rules that were skipped or failed, "
        "alerts that Prometheus could not send, webhooks that failed, changes that could not be kept or brought elsewhere, "
        "processes that ended.",
        "short",
        ("WireGuardRulesLate", "WireGuardAlertmanagerUnreachable", "WireGuardReceiverFailing", "WireGuardStoreFailing", "WireGuardProcessEnding"),
    ),
    Ask(f"sum({grown('prometheus_rule_group_iterations_missed_total', GROUPS)})", "rule evaluations missed"),
    Ask(f"sum({grown('prometheus_rule_evaluation_failures_total', GROUPS)})", "rule evaluations failed"),
    Ask(f"sum({grown('prometheus_notifications_errors_total', PROMETHEUS)})", "alerts not sent to Alertmanager"),
    Ask(f"sum({grown('prometheus_notifications_dropped_total', PROMETHEUS)})", "alerts dropped by Prometheus"),
    Ask(f"sum({grown('alertmanager_notification_requests_failed_total', WEBHOOK)})", "webhooks failed"),
    Ask(f"sum({grown('wgfleet_receiver_store_failures_total', RECEIVER)})", "changes not kept"),
    Ask(f"sum({grown('wgfleet_publisher_failures_total', RECEIVER)})", "not published elsewhere"),
    Ask(
        f"sum by (job) ({grown('wgfleet_receiver_process_ended_total', RECEIVER)}) or "
        f"sum by (job) ({grown('wgfleet_follower_process_ended_total', FOLLOWER)})",
        "processes ended, {{job}}",
    ),
)  # fmt: skip

TOLD = events(
    About(
        "What the receiver was told",
        "Alerts that came by webhook and what became of them, and its readings of Alertmanager's list. Either way alone "
        "suffices; readings that fail leave it with the webhook only.",
        "short",
        ("WireGuardReceiverFailing", "WireGuardAlertmanagerUnreachable"),
    ),
    Ask(f"sum by (outcome) ({grown('wgfleet_receiver_alerts_total', RECEIVER)})", "alerts: {{outcome}}"),
    Ask(
        f"sum by (outcome) ({grown('wgfleet_receiver_alertmanager_readings_total', RECEIVER)})",
        "readings: {{outcome}}",
    ),
)

TOUCH = timeline(
    About(
        "Beyond one machine",
        "Yes all along is good. A receiver says no while it is cut off from its PostgreSQL, a follower while it does not hear "
        "the receiver, a publisher's place when the last attempt there failed.",
        "none",
        ("WireGuardReceiverCutOff", "WireGuardFollowerAlone", "WireGuardFollowerDown"),
    ),
    Ask(
        f"min by (instance) (wgfleet_receiver_store_connected{{{RECEIVER}}})",
        "receiver {{instance}} has its store",
    ),
    Ask(f"min by (instance) (wgfleet_follower_live{{{FOLLOWER}}})", "follower {{instance}} hears"),
    Ask(
        f"min by (instance, publisher) (wgfleet_publisher_up{{{RECEIVER}}})",
        "{{publisher}} takes from {{instance}}",
    ),
    words=looks.ANSWERS,
)

BEYOND = lines(
    About(
        "Publishers behind",
        "For how long there has been a newer peer set than the one that was brought to each place. 0 is good, a moment after a "
        "change as well; a line that rises is a place that takes nothing.",
        "s",
        ("WireGuardPublisherBehind",),
    ),
    Ask(
        f"max by (instance, publisher) (wgfleet_publisher_behind_seconds{{{RECEIVER}}})",
        "{{publisher}} by {{instance}}",
    ),
    steps=((None, looks.GOOD), (60, looks.WARN)),
)

LAG = lines(
    About(
        "Generations behind",
        "By how many generations each receiver and follower is behind the newest peer set of any receiver. 0 is good; for one "
        "scrape after a change it may be more, because they are scraped one after the other.",
        "short",
        ("WireGuardReceiverBehind", "WireGuardFollowerBehind"),
    ),
    Ask(f"scalar(max({GENERATION}{{{RECEIVER}}})) - max by (instance) ({GENERATION}{{{RECEIVER}}})", "receiver {{instance}}"),
    Ask(
        f"scalar(max({GENERATION}{{{RECEIVER}}})) - "
        f'max by (instance) (wgfleet_follower_generation{{{FOLLOWER}, document="peer-set"}})',
        "follower {{instance}}",
    ),
)  # fmt: skip

STREAMS = lines(
    About(
        "Streams by place",
        "Open event streams at each receiver and follower. When one falls to nothing, its clients should be seen at others; if "
        "the sum stays low, they know no other.",
        "short",
        ("WireGuardFollowerDown", "WireGuardReceiverMissing"),
    ),
    Ask(f"max by (instance) (wgfleet_receiver_watchers{{{RECEIVER}}})", "receiver {{instance}}"),
    Ask(f"max by (instance) (wgfleet_follower_watchers{{{FOLLOWER}}})", "follower {{instance}}"),
    stacked=True,
)


def page() -> Dashboard:
    """The page."""
    return assembled(
        "wgfleet-pipeline",
        "wgfleet / Failover pipeline",
        "How long each stage takes from a failed probe to the last client, and where it is stuck.",
        variables=[
            probe('probe_success{job=~"wgfleet-.+"}'),
            workers(f"wgfleet_receiver_worker_state{{{RECEIVER}}}"),
        ],
        rows=[
            (4, [(6, panel) for panel in (MONITORING, WATCHDOG, BEHIND, STOPPED)]),
            (9, [(12, STAGES), (12, SIGHT)]),
            (8, [(8, PROBES), (8, RULES), (8, NOTIFICATIONS)]),
            (8, [(8, HEARING), (8, RECEIVING), (8, FAILURES)]),
            (8, [(6, panel) for panel in (DECISIONS, TOLD, CLIENTS, ACKS)]),
            (8, [(6, panel) for panel in (TOUCH, BEYOND, LAG, STREAMS)]),
        ],
        refresh="30s",
    )
