"""Tests of exporter/egress.py against real sockets of this machine; those in test_egress_system.py are on a worker."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import pytest

from exporter import metrics
from exporter.attempts import EgressError
from exporter.egress import LEAST_SECONDS, Egress
from exporter.metrics import Sample
from exporter.probe import parse_probe

BOTH = {"ipv4": True, "ipv6": True}
SHORT = 0.1
"""Seconds, for what will not be answered."""
LONG = 20.0
"""For what will be."""

Answers = Callable[[bytes], list[bytes]]


@contextmanager
def name_server(answers: Answers) -> Iterator[str]:
    """Answers each question as told, and says where."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                question, sender = door.recvfrom(4096)
                if not question:  # An empty datagram is the end.
                    return
                for answer in answers(question):
                    door.sendto(answer, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"dns:127.0.0.1:{door.getsockname()[1]}/example.org"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", door.getsockname())
            thread.join()


def answer(question: bytes, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, flags: int = 0) -> bytes:
    made = dns.message.make_response(dns.message.from_wire(question))
    made.set_rcode(rcode)
    made.flags |= flags
    return made.to_wire()


def probed(*texts: str, timeout: float = SHORT, forwarding: dict[str, bool] | None = None) -> dict[str, bool]:
    """Whether the egress is up, by `up`, and each probe's success."""
    given = BOTH if forwarding is None else forwarding
    egress = Egress([parse_probe(text) for text in texts], timeout=timeout, forwarding=lambda: given)
    samples = egress.samples(60.0)
    succeeded = {
        labels[0]: bool(value) for family, labels, value in samples if family is metrics.WORKER_EGRESS_PROBE
    }
    (up,) = (bool(value) for family, _, value in samples if family is metrics.WORKER_EGRESS)
    return {"up": up} | succeeded


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_a_name_servers_answer_is_egress(rcode: dns.rcode.Rcode) -> None:
    """That there is no such name is an answer as well."""
    with name_server(lambda question: [answer(question, rcode)]) as text:
        assert probed(text, timeout=LONG) == {"up": True, text: True}


def test_a_name_servers_truncated_answer_is_egress() -> None:
    """What it would have said does not matter."""
    with name_server(lambda question: [answer(question, flags=dns.flags.TC)]) as text:
        assert probed(text, timeout=LONG) == {"up": True, text: True}


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_name_servers_refusal_is_none(rcode: dns.rcode.Rcode) -> None:
    """And ends the probe, however much time it had."""
    with name_server(lambda question: [answer(question, rcode)]) as text:
        assert probed(text, timeout=LONG) == {"up": False, text: False}
        assert not waits_on(text)


def waits_on(text: str) -> bool:
    """Whether the probe takes all the time that it is given."""
    samples = Egress([parse_probe(text)], timeout=LONG, forwarding=lambda: BOTH).samples(60.0)
    return samples[-1] == Sample(metrics.WORKER_EGRESS_DURATION, (text,), LONG)


STRANGE: list[tuple[str, Answers]] = [
    ("another number", lambda question: [bytes([question[0] ^ 1]) + answer(question)[1:]]),
    ("the question itself", lambda question: [question]),
    ("another question", lambda question: [answer(question).replace(b"\7example", b"\7another")]),
    ("no DNS", lambda _: [b"hello", b"\0"]),
]


@pytest.mark.parametrize("answers", [row[1] for row in STRANGE], ids=[row[0] for row in STRANGE])
def test_what_is_no_answer_to_our_question_is_passed_over(answers: Answers) -> None:
    """The true one may still come, and alone counts."""
    with name_server(answers) as text:
        assert probed(text) == {"up": False, text: False}
    with name_server(lambda question: [*answers(question), answer(question)]) as text:
        assert probed(text, timeout=LONG) == {"up": True, text: True}


def test_a_name_server_that_is_silent_is_waited_for_so_long_and_no_longer() -> None:
    """The time it took is the time it had."""
    with name_server(lambda _: []) as text:
        egress = Egress([parse_probe(text)], timeout=SHORT, forwarding=lambda: BOTH)

        assert egress.samples(60.0) == [
            Sample(metrics.WORKER_EGRESS, (), False),
            Sample(metrics.WORKER_EGRESS_PROBE, (text,), False),
            Sample(metrics.WORKER_EGRESS_DURATION, (text,), SHORT),
        ]


def test_what_is_left_of_the_scrape_bounds_the_probes() -> None:
    """Whatever their own timeout is."""
    with name_server(lambda _: []) as text:
        egress = Egress([parse_probe(text)], timeout=LONG, forwarding=lambda: BOTH)

        assert egress.samples(SHORT)[-1] == Sample(metrics.WORKER_EGRESS_DURATION, (text,), SHORT)


def test_too_little_time_is_our_failure_and_not_the_workers() -> None:
    """No answer would mean nothing."""
    egress = Egress([parse_probe("icmp:127.0.0.1")], timeout=1.0, forwarding=lambda: BOTH)

    with pytest.raises(EgressError, match=r"^only 0\.010 s are left to probe in, less than 0\.05 s: raise"):
        egress.samples(0.01)


def test_a_timeout_that_is_too_short_is_refused() -> None:
    """Before the first probe fails for it."""
    with pytest.raises(ValueError, match=r"^egress timeout 0\.01 s: it must be at least 0\.05 s$"):
        Egress([], timeout=LEAST_SECONDS / 5, forwarding=lambda: BOTH)


def test_a_connection_that_is_accepted_is_egress() -> None:
    """Both families; nobody needs to take it from the queue."""
    with (
        socket.create_server(("127.0.0.1", 0)) as v4,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as v6,
    ):
        first, second = f"tcp:127.0.0.1:{v4.getsockname()[1]}", f"tcp:[::1]:{v6.getsockname()[1]}"

        assert probed(first, second, timeout=LONG) == {"up": True, first: True, second: True}


def test_a_connection_that_is_refused_is_none() -> None:
    """The worker's own firewall could have said it; and it ends the probe."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # But does not listen.
        text = f"tcp:127.0.0.1:{taken.getsockname()[1]}"

        assert probed(text, timeout=LONG) == {"up": False, text: False}
        assert not waits_on(text)


def test_a_port_without_a_name_server_is_none() -> None:
    """The kernel says so, and the probe does not wait on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as once:
        once.bind(("127.0.0.1", 0))
        port = once.getsockname()[1]
    text = f"dns:127.0.0.1:{port}/example.org"

    assert probed(text, timeout=LONG) == {"up": False, text: False}
    assert not waits_on(text)


def test_one_answer_is_enough() -> None:
    """One target may be down for reasons of its own."""
    with socket.create_server(("127.0.0.1", 0)) as door, name_server(lambda _: []) as silent:
        text = f"tcp:127.0.0.1:{door.getsockname()[1]}"

        assert probed(silent, text) == {"up": True, silent: False, text: True}


def test_all_are_probed_at_once() -> None:
    """The first is answered only when the second has asked."""
    waiting: list[tuple[bytes, tuple[str, int]]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
        names = [f"dns:127.0.0.1:{port}/{name}.example" for name in ("a", "b", "c")]

        def serve() -> None:
            waiting.extend(door.recvfrom(4096) for _ in names)
            for question, sender in waiting:
                door.sendto(answer(question), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        found = probed(*names, timeout=LONG)
        thread.join()

    assert found == {"up": True} | dict.fromkeys(names, True)


@pytest.mark.parametrize(
    ("forwarding", "v4_up", "v6_up", "both_up"),
    [
        ({"ipv4": True, "ipv6": False}, True, False, True),
        ({"ipv4": False, "ipv6": True}, False, True, False),
        ({"ipv4": True}, True, False, True),
    ],
)
def test_without_forwarding_there_is_no_egress(
    forwarding: dict[str, bool], *, v4_up: bool, v6_up: bool, both_up: bool
) -> None:
    """IPv4's, unless all probes are IPv6: the probes themselves do not need it, clients do."""
    with (
        socket.create_server(("127.0.0.1", 0)) as v4,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as v6,
    ):
        first, second = f"tcp:127.0.0.1:{v4.getsockname()[1]}", f"tcp:[::1]:{v6.getsockname()[1]}"

        assert probed(first, timeout=LONG, forwarding=forwarding) == {"up": v4_up, first: True}
        assert probed(second, timeout=LONG, forwarding=forwarding) == {"up": v6_up, second: True}
        assert probed(first, second, timeout=LONG, forwarding=forwarding)["up"] is both_up


def test_without_probes_nothing_is_said() -> None:
    """Nor read."""
    assert Egress([], timeout=1.0, forwarding=dict).samples(60.0) == []


def test_a_probe_that_is_given_twice_is_made_once() -> None:
    """And is on the page once, or Prometheus would refuse it."""
    questions = []

    def once(question: bytes) -> list[bytes]:
        questions.append(question)
        return [answer(question)]

    with name_server(once) as text:
        egress = Egress([parse_probe(text)] * 2, timeout=LONG, forwarding=lambda: BOTH)

        assert len(egress.samples(60.0)) == 3
    assert len(questions) == 1


def test_a_source_is_where_the_probe_comes_from() -> None:
    """Of its own family; the other family's goes from wherever it would."""
    with (
        socket.create_server(("127.0.0.1", 0)) as v4,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as v6,
    ):
        probes = [
            parse_probe(f"tcp:127.0.0.1:{v4.getsockname()[1]}"),
            parse_probe(f"tcp:[::1]:{v6.getsockname()[1]}"),
        ]
        egress = Egress(probes, timeout=LONG, forwarding=lambda: BOTH, sources=["127.0.0.9"])
        egress.samples(60.0)

        with v4.accept()[0] as first, v6.accept()[0] as second:
            assert [came.getpeername()[0] for came in (first, second)] == ["127.0.0.9", "::1"]


def test_a_source_that_is_not_this_machines_is_our_failure() -> None:
    """The worker is not degraded because of it."""
    egress = Egress(
        [parse_probe("tcp:127.0.0.1:9")], timeout=1.0, forwarding=lambda: BOTH, sources=["192.0.2.77"]
    )

    with pytest.raises(EgressError) as failure:
        egress.samples(60.0)
    assert str(failure.value) == (
        "egress probe tcp:127.0.0.1:9: cannot send from 192.0.2.77: Cannot assign requested address; "
        "the source must be an address of this machine, as the worker's in the tunnel"
    )


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        (["wg0"], "egress source 'wg0' is no IP address"),
        (
            ["10.0.0.1", "10.0.0.2"],
            "egress sources 10.0.0.1 and 10.0.0.2: at most one of each family",
        ),
    ],
)
def test_a_wrong_source_is_refused_at_once(sources: list[str], why: str) -> None:
    """Not at the first scrape."""
    with pytest.raises(ValueError, match=r"^egress source") as refusal:
        Egress([], timeout=1.0, forwarding=lambda: BOTH, sources=sources)
    assert str(refusal.value) == why


def test_nothing_is_left_open() -> None:
    """Answered, refused, silent, or not even begun because a later one cannot be."""
    with socket.create_server(("127.0.0.1", 0)) as door, name_server(lambda _: []) as silent:
        texts = [f"tcp:127.0.0.1:{door.getsockname()[1]}", "tcp:127.0.0.1:1", silent]
        before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all that is wanted.
        threads = threading.active_count()
        probed(*texts)
        broken = Egress(
            [parse_probe(text) for text in (*texts, "tcp:[::1]:9")],
            timeout=SHORT,
            forwarding=lambda: BOTH,
            sources=["2001:db8::77"],
        )
        with pytest.raises(EgressError):
            broken.samples(60.0)

        assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
        assert threading.active_count() == threads
