"""Tests of exporter/access.py: who may read."""

import base64
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import bcrypt
import pytest

from exporter.access import CERTIFICATE_NAMES, Access, guarded
from exporter.web import ClientAuth, RateLimit, Tls, WebConfig

TOKEN = "0123456789-a-token-that-is-known"
CHEAP = bcrypt.hashpw(
    b"secret", bcrypt.gensalt(4)
)  # The least that bcrypt does, so that the tests are quick.
USERS = WebConfig(users={"alice": CHEAP})
OPEN = WebConfig()
BASIC = 'Basic realm="wgfleet-exporter", charset="UTF-8"'
BEARER = 'Bearer realm="wgfleet-exporter"'


def basic(name: str, password: str) -> str:
    """The header that curl -u sends."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def status(
    access: Access,
    authorization: str | None = None,
    *,
    names: Iterable[str] = (),
    now: float = 0.0,
) -> int:
    """What the reader is answered; 200 for whoever may read."""
    refusal = access.judge(access.config(), authorization, frozenset(names), now)
    return refusal.status.value if refusal else 200


def counting() -> tuple[list[bytes], Callable[[bytes, bytes], bool]]:
    """A comparison that notes which hashes it was asked for; `right` is every hash's password."""
    asked: list[bytes] = []

    def compare(password: bytes, hashed: bytes) -> bool:
        asked.append(hashed)
        return password == b"right"

    return asked, compare


def test_without_users_and_token_everybody_may_read() -> None:
    """What they send is not looked at."""
    access = Access()

    assert [status(access), status(access, "Bearer x"), status(access, "nonsense")] == [200, 200, 200]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (basic("alice", "secret"), 200),
        (basic("alice", "secret").replace("Basic", "bAsIc"), 200),
        (basic("alice", "Secret"), 401),
        (basic("alice", ""), 401),
        (basic("bob", "secret"), 401),
        (basic("", ""), 401),
        (basic("alice", "secret") + "!", 401),
        ("Basic", 401),
        ("Basic ÿ", 401),
        ("Basic " + base64.b64encode(b"\xff\xfe:secret").decode(), 401),
        (f"Bearer {TOKEN}", 401),
        (None, 401),
    ],
)
def test_a_user_reads_with_the_right_password(header: str | None, expected: int) -> None:
    """And nobody by anything else."""
    assert status(Access(lambda: USERS), header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer ", 401),
        ("Bearer ü", 401),
        (TOKEN, 401),
        (basic("alice", "secret"), 401),
        (None, 401),
    ],
)
def test_a_token_opens(header: str | None, expected: int) -> None:
    """The whole of it, as a bearer token."""
    assert status(Access(token=lambda: TOKEN), header) == expected


def test_either_a_token_or_a_password_opens_where_both_are_set() -> None:
    """And none does not."""
    access = Access(lambda: USERS, lambda: TOKEN)

    assert status(access, f"Bearer {TOKEN}") == 200
    assert status(access, basic("alice", "secret")) == 200
    assert status(access) == 401


@pytest.mark.parametrize(
    ("config", "token", "reason", "challenges"),
    [
        (USERS, None, "a user's name and password of this exporter's is needed", [BASIC]),
        (OPEN, TOKEN, "a bearer token of this exporter's is needed", [BEARER]),
        (USERS, TOKEN, "a user's name and password or a bearer token of this exporter's is needed", [BASIC, BEARER]),
    ],
)  # fmt: skip
def test_a_refusal_says_what_would_open(
    config: WebConfig, token: str | None, reason: str, challenges: list[str]
) -> None:
    """As HTTP demands of a 401."""
    refusal = Access(lambda: config, lambda: token).judge(config, "Bearer wrong", frozenset(), 0.0)

    assert refusal is not None
    assert (refusal.status.value, refusal.reason) == (401, reason)
    assert list(refusal.headers) == [("WWW-Authenticate", challenge) for challenge in challenges]


def test_the_toolkits_own_hash_is_understood() -> None:
    """Of `fakepassword`, as htpasswd writes it."""
    users = {"alice": b"$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"}

    assert status(Access(lambda: WebConfig(users=users)), basic("alice", "fakepassword")) == 200


def test_a_password_longer_than_bcrypt_looks_at_counts_by_its_beginning() -> None:
    """As in the toolkit; bcrypt itself would refuse to compare."""
    long = WebConfig(users={"alice": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))})

    assert status(Access(lambda: long), basic("alice", "x" * 90)) == 200
    assert status(Access(lambda: long), basic("alice", "x" * 71)) == 401


@pytest.mark.parametrize(("password", "expected"), [("right", 200), ("wrong", 401)])
def test_the_same_password_costs_one_bcrypt(password: str, expected: int) -> None:
    """Right or wrong, however often Prometheus comes."""
    asked, compare = counting()
    access = Access(lambda: USERS, compare=compare)

    answers = {status(access, basic("alice", password)) for _ in range(5)}

    assert (answers, asked) == ({expected}, [CHEAP])


def test_guesses_do_not_push_out_what_is_known() -> None:
    """Else whoever guesses makes each scrape cost a bcrypt."""
    asked, compare = counting()
    access = Access(lambda: USERS, compare=compare)
    status(access, basic("alice", "right"))
    for guess in range(300):
        status(access, basic("alice", f"wrong {guess}"))
    asked.clear()

    assert status(access, basic("alice", "right")) == 200
    assert asked == []


def test_only_so_many_answers_are_remembered() -> None:
    """Or guesses would fill the memory."""
    asked, compare = counting()
    access = Access(lambda: USERS, compare=compare)
    for guess in range(300):
        status(access, basic("alice", f"wrong {guess}"))
    asked.clear()

    status(access, basic("alice", "wrong 299"))
    assert asked == []
    status(access, basic("alice", "wrong 0"))
    assert asked == [CHEAP]


def test_an_unknown_user_costs_what_a_known_one_does() -> None:
    """One bcrypt against a real user's hash; its right password does not open, not even when asked again."""
    asked, compare = counting()
    access = Access(lambda: USERS, compare=compare)

    assert [status(access, basic("mallory", "right")) for _ in range(2)] == [401, 401]
    assert asked == [CHEAP]


def test_who_is_known_does_not_wait_for_those_who_guess() -> None:
    """Guesses are compared one after the other; a scrape is not behind them."""
    guessing, go, at_once = threading.Semaphore(0), threading.Event(), threading.Lock()

    def compare(password: bytes, _hashed: bytes) -> bool:
        if password == b"right":
            return True
        with_none_beside = at_once.acquire(blocking=False)
        guessing.release()
        assert go.wait(30)
        at_once.release()
        assert with_none_beside
        return False

    access = Access(lambda: USERS, compare=compare)
    status(access, basic("alice", "right"))
    with ThreadPoolExecutor(3) as guessers:
        guesses = [guessers.submit(status, access, basic("alice", f"guess {n}")) for n in range(3)]
        assert guessing.acquire(timeout=30)
        known = status(access, basic("alice", "right"))
        go.set()

        assert known == 200
        assert [guess.result() for guess in guesses] == [401, 401, 401]


def test_a_changed_password_counts_at_once() -> None:
    """What is remembered of the old one opens nothing."""
    now = [USERS]
    access = Access(lambda: now[0])
    first = status(access, basic("alice", "secret"))

    now[0] = WebConfig(users={"alice": bcrypt.hashpw(b"other", bcrypt.gensalt(4))})

    assert (first, status(access, basic("alice", "secret"))) == (200, 401)
    assert status(access, basic("alice", "other")) == 200


def test_what_is_remembered_is_no_password() -> None:
    """A core dump shows no more of it than a keyed hash."""
    access = Access(lambda: USERS)
    status(access, basic("alice", "secret"))

    assert "secret" not in repr(vars(access._passwords))


@pytest.mark.parametrize(
    ("names", "expected"), [(["prometheus.example"], 200), (["other", "10.90.0.2"], 200), (["other"], 403), ([], 403)]
)  # fmt: skip
def test_a_certificate_needs_an_allowed_name(names: list[str], expected: int) -> None:
    """One of them; a missing certificate has none."""
    allowed = frozenset({"prometheus.example", "10.90.0.2"})
    config = WebConfig(tls=Tls(b"", b"", client_auth=ClientAuth.REQUIRE, allowed_names=allowed))

    assert status(Access(lambda: config), names=names) == expected


def test_readers_may_come_so_often_and_no_oftener() -> None:
    """A burst, then one each interval; the rate counts before the password does."""
    access = Access(lambda: WebConfig(rate_limit=RateLimit(2.0, 2), users={"alice": CHEAP}))

    answers = [
        status(access, now=now) for now in (100.0, 100.0, 100.0, 101.9, 102.0, 102.1, 200.0, 200.0, 200.0)
    ]

    assert answers == [401, 401, 429, 429, 401, 429, 401, 401, 429]


def test_a_changed_rate_counts_at_once() -> None:
    """Its bucket is full."""
    now = [WebConfig(rate_limit=RateLimit(60.0, 1))]
    access = Access(lambda: now[0])
    first = [status(access), status(access)]

    now[0] = WebConfig(rate_limit=RateLimit(60.0, 2))

    assert (first, [status(access) for _ in range(3)]) == ([200, 429], [200, 200, 429])


class Asked:
    """An application that notes what it hears, and what its reader is answered."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.environ: WSGIEnvironment | None = None
        self.started: tuple[Any, ...] = ()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer."""
        self.environ = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"page"]

    def ask(self, access: Access, **environ: Any) -> bytes:
        """The answer's body, by way of the guard."""

        def start(*said: Any) -> Callable[[bytes], object]:
            self.started = said
            return list[bytes]().append

        return b"".join(guarded(self, access, clock=lambda: 0.0)(environ, start))


def test_the_application_never_hears_what_was_proven() -> None:
    """It cannot log what it does not know."""
    app = Asked()

    assert app.ask(Access(token=lambda: TOKEN), HTTP_AUTHORIZATION=f"Bearer {TOKEN}") == b"page"
    assert app.environ == {}


def test_the_application_does_not_hear_of_those_who_are_refused() -> None:
    """They hear why, and not what was wrong with what they sent."""
    app = Asked()

    said = app.ask(Access(token=lambda: TOKEN), HTTP_AUTHORIZATION="Bearer wrong")

    assert app.environ is None
    assert said == b"Unauthorized: a bearer token of this exporter's is needed\n"
    assert app.started == (
        "401 Unauthorized",
        [("Content-Type", "text/plain; charset=utf-8"), ("WWW-Authenticate", BEARER)],
    )


def test_the_names_that_the_server_found_are_judged() -> None:
    """They stand where no header can put them."""
    tls = Tls(b"", b"", client_auth=ClientAuth.REQUIRE, allowed_names=frozenset({"a"}))
    access = Access(lambda: WebConfig(tls=tls))

    assert Asked().ask(access, **{CERTIFICATE_NAMES: frozenset({"a"})}) == b"page"
    assert Asked().ask(access).startswith(b"Forbidden: no name in the client certificate")


@pytest.mark.parametrize("token", [None, TOKEN])
def test_configured_headers_are_in_every_answer(token: str | None) -> None:
    """In a refusal too."""
    app = Asked()

    app.ask(Access(lambda: WebConfig(headers=(("X-Frame-Options", "deny"),)), lambda: token))

    assert ("X-Frame-Options", "deny") in app.started[1]
