"""Who may read, decided before the application hears of a request.

In this order, as in Prometheus's exporter-toolkit: the rate, the name in the reader's certificate, then the token or a
user's password. The certificate itself was verified by TLS.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import bcrypt

from exporter.web import RateLimit, WebConfig

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

CERTIFICATE_NAMES = "exporter.certificate_names"
"""Where in WSGI's environment the server puts the names in the reader's verified certificate."""

REMEMBERED = 100
"""Passwords, the toolkit's number: a scrape each second must not cost a bcrypt each second, right or wrong."""

BCRYPT_BYTES = 72
"""bcrypt looks at no more. Longer passwords count by their beginning, in the toolkit as here."""

REALM = "wgfleet-exporter"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a reader is answered who may not read."""

    status: HTTPStatus
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


class Access:
    """Judges requests by what the web config and the token's file say now."""

    def __init__(
        self,
        config: Callable[[], WebConfig] = WebConfig,
        token: Callable[[], str | None] = lambda: None,
        *,
        compare: Callable[[bytes, bytes], bool] = bcrypt.checkpw,
    ) -> None:
        """Without a config and a token everybody may read. `compare` is bcrypt's: of password and hash."""
        self.config = config
        self._token = token
        self._passwords = _Passwords(compare)
        self._rates = _Rates()

    def judge(
        self, config: WebConfig, authorization: str | None, names: frozenset[str], now: float
    ) -> Refusal | None:
        """Why the reader with this header and these names in its certificate may not read; None: it may."""
        if not self._rates.allow(config.rate_limit, now):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "asked more often than rate_limit allows")
        if config.tls and config.tls.allowed_names is not None and not names & config.tls.allowed_names:
            return Refusal(
                HTTPStatus.FORBIDDEN, "no name in the client certificate is in client_allowed_sans"
            )
        token = self._token()
        if (config.users or token) and not self._proven(config.users, token, authorization or ""):
            return _unauthorized(basic=bool(config.users), bearer=token is not None)
        return None

    def _proven(self, users: Mapping[str, bytes], token: str | None, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        if token is not None and scheme.lower() == "bearer":
            return hmac.compare_digest(_digest(credentials.strip()), _digest(token))
        if users and scheme.lower() == "basic":
            return self._passwords.right(users, *_name_and_password(credentials))
        return False


def guarded(
    app: WSGIApplication, access: Access, *, clock: Callable[[], float] = time.monotonic
) -> WSGIApplication:
    """The application for those who may read; it never sees what they proved it by. Adds the configured headers."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        config = access.config()
        names = environ.get(CERTIFICATE_NAMES, frozenset())
        refusal = access.judge(config, environ.pop("HTTP_AUTHORIZATION", None), names, clock())
        if refusal is None:
            return app(environ, _adding(start_response, config.headers))
        status = f"{refusal.status.value} {refusal.status.phrase}"
        kind = ("Content-Type", "text/plain; charset=utf-8")
        start_response(status, [kind, *refusal.headers, *config.headers])
        return [f"{refusal.status.phrase}: {refusal.reason}\n".encode()]

    return answer


def _adding(start_response: StartResponse, more: tuple[tuple[str, str], ...]) -> StartResponse:
    def start(
        status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None, /
    ) -> Callable[[bytes], object]:
        return start_response(status, [*headers, *more], exc_info)

    return start


def _unauthorized(*, basic: bool, bearer: bool) -> Refusal:
    challenges = {
        "a user's name and password": basic and f'Basic realm="{REALM}", charset="UTF-8"',
        "a bearer token": bearer and f'Bearer realm="{REALM}"',
    }
    wanted = {what: challenge for what, challenge in challenges.items() if challenge}
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        f"{' or '.join(wanted)} of this exporter's is needed",
        tuple(("WWW-Authenticate", challenge) for challenge in wanted.values()),
    )


def _digest(text: str) -> bytes:
    # Of equal length, so that the comparison does not even tell how long the token is.
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _name_and_password(credentials: str) -> tuple[str, bytes]:
    try:
        name, _, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return "", b""
    return name.decode(errors="surrogateescape"), password[:BCRYPT_BYTES]


class _Passwords:
    """Compares passwords with hashes, and remembers answers by a keyed hash of the question."""

    def __init__(self, compare: Callable[[bytes, bytes], bool]) -> None:
        self._compare = compare
        self._key = secrets.token_bytes(32)
        self._one_at_a_time = (
            threading.Lock()
        )  # Each takes a core for a good while; the worker has better to do.
        # Two, so that whoever guesses does not push out the answers for those who know.
        self._right: dict[bytes, None] = {}
        self._wrong: dict[bytes, None] = {}

    def right(self, users: Mapping[str, bytes], name: str, password: bytes) -> bool:
        """Whether it is this user's. For a name that nobody has it takes as long."""
        hashed = users[name] if name in users else self._stand_in(users, name)
        question = self._keyed(name.encode(errors="surrogateescape"), hashed, password)
        if question not in self._right and question not in self._wrong:
            with self._one_at_a_time:
                if question not in self._right and question not in self._wrong:
                    _remember(self._right if self._matches(password, hashed) else self._wrong, question)
        return name in users and question in self._right

    def _matches(self, password: bytes, hashed: bytes) -> bool:
        try:
            return self._compare(password, hashed)
        except ValueError:  # A password that bcrypt does not take is nobody's.
            return False

    def _stand_in(self, users: Mapping[str, bytes], name: str) -> bytes:
        """A real user's hash, always the same for a name: one of our own could differ in cost, and so in time."""
        hashes = sorted(users.values())
        return hashes[int.from_bytes(self._keyed(name.encode(errors="surrogateescape"))[:8]) % len(hashes)]

    def _keyed(self, *parts: bytes) -> bytes:
        keyed = hashlib.blake2b(key=self._key)
        for part in parts:
            keyed.update(len(part).to_bytes(8) + part)
        return keyed.digest()


def _remember(answers: dict[bytes, None], question: bytes) -> None:
    while len(answers) >= REMEMBERED:
        del answers[next(iter(answers))]
    answers[question] = None


class _Rates:
    """A bucket that fills as time goes, made anew when the limit changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limit: RateLimit | None = None
        self._left = 0.0
        self._at = 0.0

    def allow(self, limit: RateLimit | None, now: float) -> bool:
        """Whether one more may come now."""
        if limit is None:
            return True
        with self._lock:
            if limit != self._limit:
                self._limit, self._left, self._at = limit, limit.burst, now
            self._left = min(limit.burst, self._left + (now - self._at) / limit.interval)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
