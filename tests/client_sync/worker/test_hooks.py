"""Tests of client_sync/worker/hooks.py: which runs of the client hook are due."""

import pytest

from client_sync.worker.hooks import MOST_AT_ONCE, RETRY_FIRST, RETRY_MOST, Hooks, Place, Run, Verb

ANN = ("10.99.1.1/32",)
ACTIVE, LEFT = Verb.ACTIVE, Verb.LEFT


def at(worker: str, number: int, client: str = "ann") -> dict[str, Place]:
    """Where a client is."""
    return {client: Place(worker, number)}


def hooks(begun: dict[str, tuple[str, ...]] | None = None) -> Hooks:
    """Those of fra1, whose client list has ann."""
    one = Hooks("fra1", begun or {})
    one.listed({"ann": ANN})
    return one


def ran(one: Hooks, now: float = 0.0) -> list[tuple[Verb, str]]:
    """Carry out what is due, well, until nothing is."""
    done = []
    while due := one.due(now, heard=True):
        done += [(run.verb, run.client) for run in due]
        for run in due:
            one.ended(run, None, now)
    return done


def test_a_client_that_comes_is_active_once_and_left_when_it_goes() -> None:
    """With its prefixes, and the number of the news; what was said already begins nothing."""
    one = hooks()
    one.heard(at("fra1", 7), whole=True)
    assert one.due(0, heard=True) == [Run(ACTIVE, "ann", ANN, 7)]
    one.ended(Run(ACTIVE, "ann", ANN, 7), None, 0)
    one.heard(at("fra1", 7), whole=True)
    assert ran(one) == []

    one.heard(at("ams1", 8), whole=False)

    assert one.due(0, heard=True) == [Run(LEFT, "ann", ANN, 8)]


def test_a_client_that_never_was_here_does_not_leave() -> None:
    """Each worker hears of all clients."""
    one = hooks()
    one.heard(at("ams1", 1), whole=True)

    assert ran(one) == []


def test_old_news_does_not_win() -> None:
    """Whichever comes last."""
    one = hooks()
    one.heard(at("fra1", 9), whole=True)
    one.heard(at("ams1", 8), whole=False)

    assert ran(one) == [(ACTIVE, "ann")]


@pytest.mark.parametrize("begun", [{}, {"ann": ANN}], ids=["new", "known"])
def test_a_daemon_that_starts_runs_active_again(begun: dict[str, tuple[str, ...]]) -> None:
    """What the hook made may be gone with a reboot."""
    one = hooks(begun)
    one.heard(at("fra1", 1), whole=True)

    assert ran(one) == [(ACTIVE, "ann")]


def test_a_client_that_went_while_the_daemon_was_off_has_left() -> None:
    """`active` was begun in an earlier life."""
    one = hooks({"ann": ANN})
    one.heard(at("ams1", 1), whole=True)

    assert ran(one) == [(LEFT, "ann")]


def test_of_whom_the_receiver_knows_nothing_what_was_done_stays() -> None:
    """It was restarted, and the client has not acked since."""
    one = hooks({"ann": ANN})
    one.heard({}, whole=True)

    assert ran(one) == []


def test_nothing_begins_while_the_receiver_is_away() -> None:
    """A client may have moved on, unheard."""
    one = hooks()
    one.heard(at("fra1", 1), whole=True)

    assert one.due(0, heard=False) == []
    assert ran(one) == [(ACTIVE, "ann")]


def test_a_client_that_is_off_the_list_has_left_with_the_addresses_it_had() -> None:
    """It was revoked, and its address may be another's soon."""
    one = hooks()
    one.heard(at("fra1", 1), whole=True)
    ran(one)
    one.listed({})

    assert one.due(0, heard=True) == [Run(LEFT, "ann", ANN, 1)]


def test_other_addresses_are_left_and_active() -> None:
    """In this order."""
    one = hooks()
    one.heard(at("fra1", 1), whole=True)
    ran(one)
    one.listed({"ann": ("10.99.1.2/32",)})

    assert ran(one) == [(LEFT, "ann"), (ACTIVE, "ann")]


def test_one_run_at_a_time_and_then_the_newest_wins() -> None:
    """It went and came while `active` ran: nothing more is to be done; it went: `left`."""
    one = hooks()
    one.heard(at("fra1", 1), whole=True)
    (run,) = one.due(0, heard=True)
    one.heard(at("ams1", 2), whole=False)
    assert one.due(0, heard=True) == []
    one.heard(at("fra1", 3), whole=False)
    one.heard(at("ams1", 4), whole=False)
    one.ended(run, None, 0)

    assert ran(one) == [(LEFT, "ann")]


def test_a_run_that_fails_is_tried_again_ever_more_rarely() -> None:
    """And told until it ends well."""
    one, now, waits = hooks(), 0.0, []
    one.heard(at("fra1", 1), whole=True)
    for _ in range(9):
        (run,) = one.due(now, heard=True)
        one.ended(run, "it ended with 1", now)
        assert one.due(now, heard=True) == []
        then = one.next_deadline()
        assert then is not None
        waits.append(then - now)
        now = then
    assert waits == [min(RETRY_FIRST * 2**tries, RETRY_MOST) for tries in range(9)]
    assert [failure.tries for failure in one.worst()] == [9]

    assert ran(one, now) == [(ACTIVE, "ann")]
    assert (one.next_deadline(), list(one.worst())) == (None, [])


def test_another_wish_does_not_wait_for_the_retry() -> None:
    """`active` may have failed half-way, so `left` is run."""
    one = hooks()
    one.heard(at("fra1", 1), whole=True)
    (run,) = one.due(0, heard=True)
    one.ended(run, "it ended with 1", 0)
    one.heard(at("ams1", 2), whole=False)

    assert ran(one) == [(LEFT, "ann")]
    assert one.next_deadline() is None


def test_so_many_run_at_once_and_the_others_follow() -> None:
    """A whole failover."""
    one = Hooks("fra1", {})
    names = [f"c{number}" for number in range(3 * MOST_AT_ONCE)]
    one.listed(dict.fromkeys(names, ANN))
    one.heard({name: Place("fra1", 1) for name in names}, whole=True)
    assert one.to_keep().keys() == set(names)

    first = one.due(0, heard=True)

    assert len(first) == MOST_AT_ONCE
    assert one.due(0, heard=True) == []
    for run in first:
        one.ended(run, None, 0)
    assert len(first) + len(ran(one)) == len(names)
    assert one.active == len(names)


def test_a_retry_that_finds_no_room_is_not_waited_for() -> None:
    """It is looked at when another run ends; until then its time, which is over, would wake the daemon again and again."""
    one = hooks()
    one.heard(at("fra1", 1), whole=True)
    (run,) = one.due(0, heard=True)
    one.ended(run, "it ended with 1", 0)
    assert one.due(0, heard=True) == []
    names = [f"c{number}" for number in range(MOST_AT_ONCE)]
    one.listed({"ann": ANN} | dict.fromkeys(names, ANN))
    one.heard({name: Place("fra1", 2) for name in names}, whole=False)

    assert len(one.due(0, heard=True)) == MOST_AT_ONCE
    assert one.next_deadline() is None
