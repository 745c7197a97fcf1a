"""Tests of failover_receiver/access.py."""

import base64
import hashlib

import pytest

from failover_receiver.access import DeniedError, Gate, Holder, Role, digest, new_token
from failover_receiver.store import StoredToken
from tests.failover_receiver.parts import Clock

OPERATOR = "the-operator's-secret"
CLIENT = "the-client's-secret"


def stored(name: str, role: Role, token: str) -> StoredToken:
    """A token as the store has it."""
    return StoredToken(name, role, digest(token), 0.0)


@pytest.fixture
def gate() -> Gate:
    """Knows an operator and a client."""
    tokens = [stored("alice", Role.OPERATOR, OPERATOR), stored("phone", Role.CLIENT, CLIENT)]
    return Gate(tokens, clock=Clock())


def denied(gate: Gate, authorization: str | None, *allowed: Role) -> tuple[int, str]:
    """Status and text of the refusal."""
    with pytest.raises(DeniedError) as caught:
        gate.admit(authorization, frozenset(allowed))
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


def test_a_gate_holds_no_token(gate: Gate) -> None:
    """Only digests: a dump of the process's memory shows nobody's secret."""
    held = repr(vars(gate))

    assert OPERATOR not in held
    assert CLIENT not in held
    assert digest(CLIENT) in held
