"""Tests of wgfleet/cli/doctor/: what is well, what is dead, and what the command says by its exit code."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from tests.wgfleet.cli.doctor.well import (
    DEAD,
    NOON,
    alertmanager,
    asked,
    dead,
    doctor,
    good,
    ill,
    prometheus,
    receiver,
)
from wgfleet.cli.doctor.asking import Answer
from wgfleet.cli.doctor.command import as_json, exit_code, show
from wgfleet.cli.doctor.findings import Finding, Group, Level, fault, ok, unchecked, warning
from wgfleet.cli.doctor.whole import judge

FAULT, WARNING, UNCHECKED = Level.FAULT, Level.WARNING, Level.UNCHECKED


def test_a_chain_that_is_well_has_nothing_but_ok() -> None:
    """In every part."""
    groups = judge(asked())

    assert [group.title for group in groups] == [
        "receiver",
        "monitoring, as the receiver hears it",
        "workers and clients",
        "Prometheus http://127.0.0.1:9090",
        "Alertmanager http://127.0.0.1:9093",
    ]
    assert [finding for group in groups for finding in ill(group.findings)] == []


def test_a_dead_receiver_is_one_fault() -> None:
    """What only it knows is not checked, and no fault of its own."""
    groups = judge(asked(dead(receiver())))

    found = [finding for group in groups for finding in ill(group.findings)]
    assert found == [
        (FAULT, "http://127.0.0.1:9587 was not reached: All connection attempts failed"),
        (UNCHECKED, "whether monitoring is heard"),
        (UNCHECKED, "workers and clients"),
        *((UNCHECKED, f"targets of wgfleet-{job}") for job in ("worker", "tunnel", "icmp", "tcp", "canary")),
    ]


def test_a_dead_prometheus_is_one_fault() -> None:
    """An Alertmanager without a Watchdog is not to blame then."""
    silent = alertmanager(watchdog=good([]))

    groups = judge(asked(None, [dead(prometheus())], [silent]))

    assert [finding for group in groups for finding in ill(group.findings)] == [
        (FAULT, "it was not reached: All connection attempts failed"),
        (UNCHECKED, "its flags, configuration, rules, targets and Alertmanagers"),
        (UNCHECKED, "whether it hears the Watchdog"),
    ]


def test_a_dead_alertmanager_is_one_fault() -> None:
    """Prometheus is well all the same."""
    groups = judge(asked(None, None, [dead(alertmanager())]))

    assert [finding for group in groups for finding in ill(group.findings)] == [
        (FAULT, "it was not reached: All connection attempts failed"),
        (UNCHECKED, "its routes, silences and Watchdog"),
    ]


def test_of_two_prometheis_each_is_judged_by_itself() -> None:
    """Under its own address."""
    other = replace(dead(prometheus()), url="http://192.0.2.9:9090")

    groups = judge(asked(None, [prometheus(), other]))

    assert [group.title for group in groups if ill(group.findings)] == ["Prometheus http://192.0.2.9:9090"]


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": {"groups": [{}]}}, 17])
def test_an_answer_of_another_shape_is_a_fault_and_no_traceback(body: object) -> None:
    """Something else may listen on the port."""
    groups = judge(asked(None, [prometheus(rules=Answer(200, body, clock=0.0), config=Answer(200, body))]))

    assert exit_code(groups) == 1


def test_the_exit_code_is_that_of_the_worst() -> None:
    """What was not checked has its own fault elsewhere."""
    told = {
        "ok": ok("a"),
        "unchecked": unchecked("b", "c"),
        "warning": warning("d", "e"),
        "fault": fault("f", "g"),
    }

    def code(*names: str) -> int:
        return exit_code([Group("part", (told[name],)) for name in names])

    assert [code("ok"), code("ok", "unchecked"), code("warning", "ok"), code("warning", "fault")] == [
        0,
        0,
        5,
        1,
    ]


FOUND = (
    Group("receiver", (ok("it answers"), fault("it is [red]", "paint it"))),
    Group("Prometheus", (unchecked("its rules", "it was not reached"), warning("it is slow", "wait"))),
)


def test_each_finding_is_a_line_with_what_to_do() -> None:
    """And brackets in it are no colours."""
    out = StringIO()

    show(FOUND, Console(file=out, width=40))

    assert out.getvalue() == (
        "receiver\n"
        "  ok           it answers\n"
        "  fault        it is [red] → paint it\n"
        "Prometheus\n"
        "  not checked  its rules, because it was not reached\n"
        "  warning      it is slow → wait\n"
        "1 fault, 1 warning\n"
    )


def test_programs_get_the_same() -> None:
    """As JSON."""
    assert json.loads(json.dumps(as_json(FOUND, NOON))) == {
        "at": NOON,
        "faults": 1,
        "warnings": 1,
        "findings": [
            {"part": "receiver", "level": "ok", "what": "it answers", "do": ""},
            {"part": "receiver", "level": "fault", "what": "it is [red]", "do": "paint it"},
            {"part": "Prometheus", "level": "not checked", "what": "its rules", "do": "it was not reached"},
            {"part": "Prometheus", "level": "warning", "what": "it is slow", "do": "wait"},
        ],
    }


def first(group: int, **parts: object) -> list[tuple[Level, str]]:
    """What is ill in one part of a chain that is well but for these answers of the receiver."""
    said = {**doctor(), **parts}
    return ill(judge(asked(receiver(said)))[group].findings)


def of_receiver(**answers: Answer) -> list[Finding]:
    return list(judge(asked(receiver(None, **answers)))[0].findings)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"ready": Answer(503, error="503: the store failed: disk I/O error")}, "it cannot keep changes: 503: the store failed: disk I/O error"),
        ({"doctor": Answer(401, error="401: this token is not known here")}, "it refuses this token: 401: this token is not known here"),
        ({"doctor": Answer(403, error="403: token 'p' has the role prometheus")}, "it refuses this token: 403: token 'p' has the role prometheus"),
        ({"doctor": Answer(404, error="404: there is no")}, "it does not know what this command asks"),
        ({"doctor": Answer(421, error="421: this is a follower")}, "it is a follower, and knows nothing of the whole chain"),
        ({"alive": Answer(404, error="404: Not Found")}, "http://127.0.0.1:9587 answers, but as no receiver: 404: Not Found"),
        ({"alive": DEAD}, "http://127.0.0.1:9587 was not reached: All connection attempts failed"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_receiver_is_told(answers: dict[str, Answer], said: str) -> None:
    """With what it says itself."""
    assert ill(of_receiver(**answers)) == [(FAULT, said)]


def test_a_token_that_ends_soon_is_told() -> None:
    """A week before."""
    holder = {"name": "operator", "role": "operator", "expires_at": NOON + 86_400.0}

    assert first(0, holder=holder) == [(WARNING, "that token expires in 24 h")]


def test_a_clock_of_ours_that_is_off_only_deserves_a_look() -> None:
    """Nothing but these checks depends on it; all the others agree."""
    groups = judge(asked(receiver(None, 300.0), [prometheus(300.0)], [alertmanager(300.0)]))

    assert [finding for group in groups for finding in ill(group.findings)] == [
        (WARNING, "the receiver's clock is 5 min ahead of this machine's")
    ]


@pytest.mark.parametrize(
    ("ahead", "found"),
    [
        (2.0, []),
        (-5.0, [(WARNING, "its host's clock is 5 s behind the receiver's")]),
        (90.0, [(FAULT, "its host's clock is 90 s ahead of the receiver's")]),
        (-90.0, [(FAULT, "its host's clock is 90 s behind the receiver's")]),
    ],
)
def test_a_clock_of_monitoring_that_is_off_is_told(ahead: float, found: list[tuple[Level, str]]) -> None:
    """The receiver judges by its times whether it lives."""
    groups = judge(asked(None, [prometheus(ahead)], [alertmanager(ahead)]))

    assert [ill(group.findings) for group in groups[3:]] == [found, found]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            {"monitoring": "blind", "frozen_by": "the vantage says that it sees nothing"},
            [(FAULT, "monitoring is blind: the vantage says that it sees nothing; alerts move nothing")],
        ),
        (
            {"watchdog_heard_at": NOON - 25.0, "webhook_at": NOON - 25.0},
            [
                (
                    FAULT,
                    "monitoring is blind: the Watchdog is 25 s old, and counts for 20 s; alerts move nothing",
                )
            ],
        ),
        (
            {"watchdog_heard_at": None, "webhook_at": 0.0},
            [
                (
                    FAULT,
                    "monitoring is blind: the Watchdog was never heard, and counts for 20 s; alerts move nothing",
                ),
                (UNCHECKED, "whether webhooks come"),
            ],
        ),
        ({"watchdog_heard_at": NOON - 16.0}, [(WARNING, "the Watchdog is 16 s old")]),
        ({"watchdog_heard_at": NOON - 14.0}, []),
        (
            {"webhook_at": 0.0},
            [(FAULT, "no webhook has come for as long as it runs: alerts are heard late, by the list alone")],
        ),
        (
            {"webhook_at": NOON - 300.0},
            [(FAULT, "no webhook has come for 5 min: alerts are heard late, by the list alone")],
        ),
        (
            {"read_at": NOON - 60.0},
            [(FAULT, "no list of active alerts could be read of http://127.0.0.1:9093 for 60 s")],
        ),
        (
            {"alertmanagers": []},
            [(WARNING, "it reads no Alertmanager: a silenced worker that dies is not left")],
        ),
    ],
)
def test_what_is_not_heard_is_told(said: dict[str, object], found: list[tuple[Level, str]]) -> None:
    """By each of the two ways, and what of it is only unknown."""
    assert first(1, **said) == found
