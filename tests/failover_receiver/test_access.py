"""Tests of failover_receiver/access.py."""

import base64
import hashlib
import logging

import pytest

from failover_receiver.access import DeniedError, Gate, Holder, Role, digest, last_operator, new_token
from failover_receiver.limits import BURST
from failover_receiver.store import StoredToken
from tests.failover_receiver.parts import NOON, Clock, facts

OPERATOR = "the-operator's-secret"
CLIENT = "the-client's-secret"


def stored(name: str, role: Role, token: str, expires_at: float | None = None) -> StoredToken:
    """A token as the store has it."""
    return StoredToken(name, role, digest(token), 0.0, expires_at)


TOKENS = [stored("alice", Role.OPERATOR, OPERATOR), stored("phone", Role.CLIENT, CLIENT)]


@pytest.fixture
def clock() -> Clock:
    """Stands still."""
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    """Knows an operator and a client."""
    return Gate(TOKENS, clock=clock)


def denied(
    gate: Gate, authorization: str | None, *allowed: Role, address: str = "192.0.2.1"
) -> tuple[int, str]:
    """Status and text of the refusal."""
    with pytest.raises(DeniedError) as caught:
        gate.admit(authorization, frozenset(allowed), address=address)
    return caught.value.status, str(caught.value)


def test_a_new_token_has_256_bits_and_is_like_no_other() -> None:
    """Thirty-two random bytes in URL-safe base64."""
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}


def test_what_is_kept_of_a_token_is_its_sha_256() -> None:
    """The digest that any other program computes too."""
    assert digest("secret") == hashlib.sha256(b"secret").hexdigest()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_a_known_token_tells_who_asks(gate: Gate, scheme: str) -> None:
    """By name and role, however the scheme is written."""
    holder = gate.admit(f"{scheme} {CLIENT}", frozenset({Role.CLIENT}))

    assert holder == Holder("phone", Role.CLIENT, digest(CLIENT))


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", f"Basic {OPERATOR}", OPERATOR])
def test_without_a_token_nobody_is_let_in(gate: Gate, authorization: str | None) -> None:
    """No header, an empty one, another scheme: 401, and what would be right."""
    assert denied(gate, authorization, *Role) == (
        401,
        "a token is needed: send the header `Authorization: Bearer <token>`",
    )


@pytest.mark.parametrize("token", ["unknown", OPERATOR[:-1], OPERATOR.upper(), digest(OPERATOR)])
def test_an_unknown_token_is_refused_and_not_repeated(gate: Gate, token: str) -> None:
    """Not even the digest opens: whoever reads the store cannot come in."""
    status, text = denied(gate, f"Bearer {token}", *Role)

    assert status == 401
    assert text == "this token is not known here: it was mistyped, revoked, or is another fleet's"


def test_a_role_that_may_not_is_told_who_may(gate: Gate) -> None:
    """403: the token is good, but not for this."""
    assert denied(gate, f"Bearer {CLIENT}", Role.OPERATOR, Role.PROMETHEUS) == (
        403,
        "token 'phone' has the role client, this needs operator or prometheus",
    )


def test_a_gate_that_learns_anew_forgets_what_was_revoked(gate: Gate) -> None:
    """The tokens of now are known, and no others."""
    gate.learn([stored("bob", Role.OPERATOR, "another")])

    assert gate.admit("Bearer another", frozenset(Role)).name == "bob"
    assert denied(gate, f"Bearer {OPERATOR}", *Role)[0] == 401


def test_a_role_that_is_not_known_keeps_nothing_else_from_being_learnt(gate: Gate) -> None:
    """A newer receiver on the same store may make such a token; what it revokes is revoked here as well."""
    gate.learn([StoredToken("star", "astronomer", digest("x"), 0.0), TOKENS[0]])

    assert [holder.name for holder in gate.holders.values()] == ["alice"]


def test_a_gate_holds_no_token(gate: Gate) -> None:
    """Only digests: a dump of the process's memory shows nobody's secret."""
    held = repr(vars(gate))

    assert OPERATOR not in held
    assert CLIENT not in held
    assert digest(CLIENT) in held


# What ends.


def test_a_token_opens_until_it_expires(clock: Clock) -> None:
    """Not at that second any more; whoever is in already is not known from then on either."""
    gate = Gate([stored("phone", Role.CLIENT, CLIENT, NOON + 10)], clock=clock)
    holder = gate.admit(f"Bearer {CLIENT}", frozenset(Role))

    clock.now = NOON + 9.9
    assert gate.knows(holder)
    assert gate.holder(holder.digest) == holder
    clock.now = NOON + 10

    assert not gate.knows(holder)
    assert gate.holder(holder.digest) is None
    assert denied(gate, f"Bearer {CLIENT}", *Role) == (
        401,
        "token 'phone' has expired: have an operator make a new one",
    )


def test_who_was_revoked_is_known_no_more_though_the_name_is_given_again(gate: Gate) -> None:
    """A new token of the same name is another holder: the stolen one's streams end."""
    holder = gate.admit(f"Bearer {CLIENT}", frozenset(Role))

    gate.learn([stored("phone", Role.CLIENT, "a new one")])

    assert not gate.knows(holder)


def test_followers_hear_of_each_change_when_it_is_known(gate: Gate) -> None:
    """So that streams can be ended at once."""
    holder = gate.admit(f"Bearer {CLIENT}", frozenset(Role))
    heard: list[bool] = []
    gate.follow(lambda: heard.append(gate.knows(holder)))

    gate.learn(TOKENS)
    gate.learn([])

    assert heard == [True, False]


def test_when_a_token_was_last_used_is_known_since_the_start(gate: Gate, clock: Clock) -> None:
    """Of each; being refused for the role is no use of it, and what is revoked is forgotten."""
    clock.now = NOON + 5
    gate.admit(f"Bearer {CLIENT}", frozenset(Role))
    denied(gate, f"Bearer {OPERATOR}", Role.CLIENT)

    assert gate.last_used(digest(CLIENT)) == NOON + 5
    assert gate.last_used(digest(OPERATOR)) is None
    gate.learn([])
    assert gate.last_used(digest(CLIENT)) is None


@pytest.mark.parametrize(
    ("tokens", "name"),
    [
        ([], None),
        ([stored("phone", Role.CLIENT, CLIENT)], None),
        (TOKENS, "alice"),
        ([*TOKENS, stored("bob", Role.OPERATOR, "b")], None),
        ([*TOKENS, stored("bob", Role.OPERATOR, "b", NOON)], "alice"),
        ([*TOKENS, stored("bob", Role.OPERATOR, "b", NOON + 1)], None),
    ],
)
def test_who_is_the_last_operator(tokens: list[StoredToken], name: str | None) -> None:
    """The only one whose token opens now."""
    assert last_operator(tokens, now=NOON) == name


# Who fails too often.


def fail(gate: Gate, times: int, address: str) -> list[int]:
    """Somebody tries wrong tokens; the answers."""
    return [denied(gate, "Bearer wrong", *Role, address=address)[0] for _ in range(times)]


def test_too_many_wrong_tokens_are_told_to_come_again_later(gate: Gate, clock: Clock) -> None:
    """429 with when; a second later one more may be tried."""
    assert fail(gate, BURST + 2, "192.0.2.1") == [401] * BURST + [429, 429]

    with pytest.raises(
        DeniedError, match=r"^too many wrong tokens from 192\.0\.2\.1: try again in 1 s$"
    ) as caught:
        gate.admit("Bearer wrong", frozenset(Role), address="192.0.2.1")
    assert caught.value.headers == {"Retry-After": "1"}
    clock.now = NOON + 1
    assert fail(gate, 2, "192.0.2.1") == [401, 429]


def test_a_right_token_is_let_in_whatever_else_came_from_there(gate: Gate) -> None:
    """A neighbour behind the same router locks nobody out."""
    fail(gate, BURST + 5, "192.0.2.1")

    assert gate.admit(f"Bearer {CLIENT}", frozenset(Role), address="192.0.2.1").name == "phone"


def test_who_shows_no_token_or_may_not_has_not_failed(gate: Gate) -> None:
    """Only a wrong secret is a guess."""
    for _ in range(BURST + 1):
        assert denied(gate, None, *Role)[0] == 401
        assert denied(gate, f"Bearer {CLIENT}", Role.OPERATOR)[0] == 403
    assert fail(gate, 1, "192.0.2.1") == [401]


def test_other_secrets_count_together_with_tokens(gate: Gate) -> None:
    """As of an enrolment's bundle: one place to guess at is all there is."""
    for _ in range(BURST):
        gate.may_try("192.0.2.1")
        gate.failed("192.0.2.1")

    with pytest.raises(DeniedError):
        gate.may_try("192.0.2.1")
    gate.may_try("192.0.2.2")
    assert fail(gate, 1, "192.0.2.1") == [429]


def test_who_fails_too_often_is_told_of_once_a_minute(
    gate: Gate, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """By address, and without what was tried."""
    caplog.set_level(logging.DEBUG)

    for clock.now in (NOON, NOON + 1, NOON + 60):
        fail(gate, BURST + 2, "192.0.2.1")

    assert facts(caplog.records, "too many wrong tokens") == [{"address": "192.0.2.1"}] * 2
    assert "wrong" not in caplog.text.replace("too many wrong tokens", "")
