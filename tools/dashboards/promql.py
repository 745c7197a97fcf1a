"""What the queries of several panels share: whom they ask about, and questions that are more than one metric."""

from wgfleet.peerset import WorkerState

WORKERS = 'job=~"$job", worker=~"$worker"'
"""Exporters of the chosen workers."""
INTERFACES = f'{WORKERS}, interface=~"$interface"'
"""Their chosen interfaces. Every query of single peers must have it: there may be ten thousand on each worker."""
PROBES = 'job=~"wgfleet-(tunnel|icmp|tcp)", worker=~"$worker"'
"""What the blackbox exporter says of the chosen workers. The rules know the jobs by these names, too."""
RECEIVER = 'job="wgfleet-receiver"'
FOLLOWER = 'job="wgfleet-follower"'
PROMETHEUS = 'job="wgfleet-prometheus"'
ALERTMANAGER = 'job="wgfleet-alertmanager"'
WEBHOOK = f'{ALERTMANAGER}, integration="webhook"'
GROUPS = f'{PROMETHEUS}, rule_group=~".*;wgfleet-.+"'
"""Prometheus's word on our rule groups; it names a group `file;group`."""
FOR_PEOPLE = 'severity=~"critical|warning"'
"""Alerts that a person should know of. Up and Watchdog fire all the time, and their severity is none."""

PEER = "worker, interface, public_key"
"""The labels that say which peer of whom."""

CODES = {
    WorkerState.SERVING: 1,
    WorkerState.JOINING: 2,
    WorkerState.DRAINING: 3,
    WorkerState.SUSPECT: 4,
    WorkerState.DOWN: 5,
    WorkerState.BANNED: 6,
}
"""A number for each published state, the worse the higher: a timeline draws numbers, and a table sorts by them."""


def rate(metric: str, scope: str) -> str:
    """Per second, over a window that holds at least four scrapes."""
    return f"rate({metric}{{{scope}}}[$__rate_interval])"


def grown(metric: str, scope: str) -> str:
    """By how much the counter has grown about each point of the graph."""
    return f"increase({metric}{{{scope}}}[$__rate_interval])"


def grown_in_view(metric: str, scope: str) -> str:
    """By how much the counter has grown in the time that the page shows."""
    return f"increase({metric}{{{scope}}}[$__range])"


def quantile(share: float, metric: str, scope: str, *, by: str = "le", in_view: bool = False) -> str:
    """The value that this share of a histogram's events did not exceed."""
    counted = (grown_in_view if in_view else grown)(f"{metric}_bucket", scope)
    return f"histogram_quantile({share:g}, sum by ({by}) ({counted}))"


def in_state(scope: str, by: str = "worker") -> str:
    """1 or 0, whatever number of receivers say it."""
    return f"max by ({by}) (wgfleet_receiver_worker_state{{{RECEIVER}, {scope}}})"


def state_code(worker: str = 'worker=~"$worker"') -> str:
    """Each worker's published state as a number of CODES."""
    coded = []
    for state, code in CODES.items():
        scope = f'{worker}, state="{state}"'
        coded.append(f"{code} * {in_state(scope, by='worker, state')}")
    return f"sum by (worker) ({' or '.join(coded)})"


def newly(state: str) -> str:
    """Workers that have come into one of these states about each point of the graph."""
    asked = f'wgfleet_receiver_worker_state{{{RECEIVER}, worker=~"$worker", state=~"{state}"}}'
    return f"max by (worker, state) (changes({asked}[$__rate_interval]) and {asked} == 1) > 0"


def named(peers: str) -> str:
    """The peers with the label `name` where they have a name; an answer for those without one, too."""
    names = f"max by ({PEER}, name) (wireguard_peer_info{{{INTERFACES}}})"
    return f"({peers} * on ({PEER}) group_left (name) {names}) or on ({PEER}) {peers}"
