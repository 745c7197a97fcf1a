"""Every query of every dashboard, asked of a real Prometheus that watches a real fleet: an answer, and not an empty one.

Quiet first, then an incident: the worker that the pages show first dies, is taken out, comes back, and serves again.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.dashboards.asking import Answer, Grafana
from tests.dashboards.committed import DASHBOARDS, Query, queries, variables
from tests.lab.addresses import SERVICE
from tests.lab.fleet import Fleet, Profile
from tests.lab.keys import new_key_pair
from wgfleet.diff import WantedPeer

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PROBE_SECONDS = 1
QUIET_SECONDS = 60.0
"""For every metric to have been scraped often enough for a rate."""
STATE_SECONDS = 60.0
INCIDENT_SECONDS = 20.0
"""For what the incident leaves behind to be scraped, once the worker is in its next state."""

FIRING = "fleet: Firing alerts A"
FAILOVERS = {f"{page}: annotation Failovers" for page in DASHBOARDS}
DELAY = "pipeline: 4. Alerts' delay A"
NEED_AN_INCIDENT = {FIRING, DELAY, *FAILOVERS}
"""Empty as long as all is well, which is right: nothing fires, nothing new is heard, nobody is left. (Yet one may have
an answer: the lab's machine is small, and a worker that is overloaded is an alert, too.)"""

UNUSED_ADDRESS = "10.99.200.1/32"

EVERY = [query for page, dashboard in DASHBOARDS.items() for query in queries(page, dashboard)]
PEERS = "clients: Longest silent A"


def named(place: str) -> Query:
    """The query at this place."""
    return next(query for query in EVERY if str(query) == place)


@dataclass(frozen=True, slots=True)
class Story:
    """What was answered when."""

    quiet: Mapping[Query, Answer]
    """While all workers served."""
    in_all: Mapping[Query, Answer]
    """In the quiet time or, for those that need it, in the incident."""
    firing: list[dict[str, str]]
    """The labels of the alerts in the table of alerts, while the worker was down."""
    peers: list[dict[str, str]]
    """The labels of the peers in a table of peers."""
    options: Mapping[str, list[str]]
    """Of each variable, by `page: name`."""


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Lived once, for all questions."""
    profile = Profile(
        interval=f"{PROBE_SECONDS}s",
        hold_down=2.0,
        hold_down_factor=1.0,
        tables={"file": {"path": "published.jws"}},
        follower=True,
    )
    with Fleet(profile) as fleet:
        furnish(fleet)
        grafana = Grafana(fleet.url("prometheus"))
        fleet.wait_until_serving()
        traffics = [client.traffic() for client in fleet.network.clients.values()]
        for traffic in traffics:
            traffic.wait_until_flowing()
        calm = [query for query in EVERY if str(query) not in NEED_AN_INCIDENT]
        answers = asked_until_answered(grafana, calm, QUIET_SECONDS)
        quiet = answers | {query: grafana.ask(query) for query in EVERY if query not in answers}
        told, firing = incident(fleet, grafana)
        options = {
            f"{page}: {variable.name}": grafana.options(variable, grafana.chosen(page))
            for page, dashboard in DASHBOARDS.items()
            for variable in variables(dashboard)
        }
        yield Story(quiet, quiet | told, firing, grafana.labels(named(PEERS)), options)


def furnish(fleet: Fleet) -> None:
    """What an operator may have, and some panels are about, beside a publisher and a follower: names, a probe of what lies beyond, an unused peer."""
    names = fleet.network.directory / "names"
    names.write_text(
        "".join(f"{client.public_key} {name}\n" for name, client in fleet.network.clients.items())
    )
    for worker in fleet.network.workers:
        worker.wg0.add_peer(WantedPeer(new_key_pair().public, None, (UNUSED_ADDRESS,), None))
        exporter = fleet.exporters[worker.name]
        exporter.kill()
        exporter.command += ["--names.file", str(names), "--egress.probe", f"icmp:{SERVICE}"]
        exporter.start()


def incident(fleet: Fleet, grafana: Grafana) -> tuple[dict[Query, Answer], list[dict[str, str]]]:
    """A worker dies and returns. What says so, and which alerts the table had meanwhile."""
    worker = fleet.network.workers[0].name
    fleet.network.worker(worker).kill()
    fleet.wait_until_state(worker, "down", STATE_SECONDS)
    asked = [query for query in EVERY if str(query) in NEED_AN_INCIDENT]
    answers = asked_until_answered(grafana, asked, INCIDENT_SECONDS)
    firing = grafana.labels(named(FIRING))
    fleet.network.worker(worker).restart()
    fleet.wait_until_state(worker, "serving", STATE_SECONDS)
    left = [query for query in asked if not answers[query].good]
    return answers | asked_until_answered(grafana, left, INCIDENT_SECONDS), firing


def asked_until_answered(grafana: Grafana, asked: list[Query], timeout: float) -> dict[Query, Answer]:
    """The answers; those that stay empty are asked until the time is over."""
    deadline = time.monotonic() + timeout
    answers = {query: grafana.ask(query) for query in asked}
    while (left := [query for query in asked if not answers[query].good]) and time.monotonic() < deadline:
        time.sleep(PROBE_SECONDS)  # Nothing new is known sooner, and asking costs what the fleet needs.
        answers |= {query: grafana.ask(query) for query in left}
    return answers


@pytest.mark.parametrize("query", EVERY, ids=str)
def test_query_is_answered(story: Story, query: Query) -> None:
    """Without an error and not empty; NaN alone is empty."""
    answer = story.in_all[query]

    assert answer.error == "", query.text
    assert answer.series > 0, query.text


@pytest.mark.parametrize("query", [query for query in EVERY if str(query) in FAILOVERS], ids=str)
def test_no_failover_is_marked_in_a_quiet_time(story: Story, query: Query) -> None:
    """It would be a false one."""
    assert story.quiet[query] == Answer("", 0)


def test_the_table_of_alerts_says_who_is_down(story: Story) -> None:
    """With what a click on the name needs, and not the Watchdog or the workers that are up."""
    down = [alert for alert in story.firing if alert["alertname"] == "WireGuardWorkerDown"]

    assert [(alert["worker"], alert["severity"]) for alert in down] == [("w1", "critical")]
    assert {"Watchdog", "WireGuardWorkerUp"}.isdisjoint(alert["alertname"] for alert in story.firing)


def test_peers_are_shown_by_name_and_those_without_one_by_their_key(story: Story) -> None:
    """The vantage is a peer, too, and nobody has named it."""
    assert [peer.get("name", "") for peer in sorted(story.peers, key=lambda peer: peer.get("name", ""))] == [
        "",
        "c1",
        "c2",
    ]
    assert all(
        peer["public_key"] and peer["worker"] == "w1" and peer["interface"] == "wg0" for peer in story.peers
    )


def test_the_list_of_incidents_names_queries_that_are_there() -> None:
    """A title that changed would take its query out of the list."""
    assert {str(query) for query in EVERY} >= NEED_AN_INCIDENT


@pytest.mark.parametrize(
    "variable",
    [f"{page}: {each.name}" for page, dashboard in DASHBOARDS.items() for each in variables(dashboard)],
)
def test_variable_offers_something(story: Story, variable: str) -> None:
    """Workers by their names, interfaces, jobs."""
    offered = story.options[variable]

    if variable.endswith(": worker"):
        assert offered == ["w1", "w2", "w3"]
    elif variable.endswith(": interface"):
        assert offered == ["wg0"]
    else:
        assert all(job.startswith("wgfleet-") for job in offered)
        assert offered
