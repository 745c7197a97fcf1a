"""The web config file, in the format of Prometheus's exporter-toolkit: TLS, users, headers, a rate limit.

A file that other exporters read does the same here, or is refused with the reason; nothing in it is passed over. What is
stricter than the toolkit: what would silently let in everybody or nobody is refused.

What differs in words only: http2 may be asked for, and readers fall back to HTTP/1, as they do by themselves;
RequestClientCert asks for no certificate, because what came would be looked at by nobody; and a reader whose certificate
has no allowed name hears 403 with the reason, where the toolkit cuts the connection.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from exporter.fields import Fields, WebConfigError, parse
from exporter.watched import Read

MARKS_OF_PEM = ("-----BEGIN", "\n")
"""What no path has: somebody has put the key itself where its file's name belongs."""

BCRYPT = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
DURATION = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""What may be added to answers, and the values that each may have if not any."""

VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
SAFE_VERSIONS = ("TLS12", "TLS13")


class ClientAuth(StrEnum):
    """What is asked of a reader's certificate."""

    NONE = "NoClientCert"
    REQUEST = "RequestClientCert"
    REQUIRE_ANY = "RequireAnyClientCert"
    VERIFY_IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRE = "RequireAndVerifyClientCert"


OLD_NAMES = {"RequireClientCert": ClientAuth.REQUIRE_ANY}
"""What the toolkit takes from files that were written long ago."""


@dataclass(frozen=True, slots=True)
class Tls:
    """`tls_server_config`, with what is in its files. Its repr shows no key."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_auth: ClientAuth = ClientAuth.NONE
    client_ca: bytes | None = field(default=None, repr=False)
    """None: the authorities that the machine trusts, as in the toolkit."""
    allowed_names: frozenset[str] | None = None
    minimum: str = "TLS12"
    maximum: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_own_ciphers: bool = True
    curves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A bucket of `burst` requests, one more each `interval` seconds."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The whole file. Its repr shows no hash."""

    tls: Tls | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Each name's bcrypt hash."""
    rate_limit: RateLimit | None = None


def read_config(path: Path, read: Read = Path.read_bytes) -> WebConfig:
    """Read the file and those that it names; relative paths in it count from its own folder.

    Raises:
        WebConfigError: the text has the file, the field, its value (never a secret) and what would be right.

    """
    try:
        file = parse(_content(path, read))
        config = WebConfig(
            tls=_tls(file.section("tls_server_config"), path.parent, read),
            headers=_headers(file.section("http_server_config")),
            users=_users(file.section("basic_auth_users")),
            rate_limit=_rate_limit(file.section("rate_limit")),
        )
        file.end()
    except WebConfigError as error:
        raise WebConfigError(f"{path}: {error}") from None
    return config


def _tls(section: Fields, folder: Path, read: Read) -> Tls | None:
    if not section:
        return None
    auth, ca = _client_auth(section), _inline_or_file(section, "client_ca", folder, read)
    if ca is not None and auth in {ClientAuth.NONE, ClientAuth.REQUEST}:
        raise section.wrong(
            "client_auth_type",
            auth.value,
            f"with a client_ca, {ClientAuth.REQUIRE} was expected, which uses it",
        )
    certificate = _inline_or_file(section, "cert", folder, read)
    key = _inline_or_file(section, "key", folder, read)
    made = Tls(
        certificate=certificate or b"",
        key=key or b"",
        client_auth=auth,
        client_ca=ca,
        allowed_names=_allowed_names(section, auth),
        minimum=_version(section, "min_version", "TLS12"),
        maximum=_version(section, "max_version", "TLS13"),
        cipher_suites=tuple(section.texts("cipher_suites") or ()),
        prefer_own_ciphers=section.truth("prefer_server_cipher_suites", default=True),
        curves=tuple(section.texts("curve_preferences") or ()),
    )
    section.end()  # First: the field that is missing may be the one that is misspelt.
    for name, content in (("cert_file", certificate), ("key_file", key)):
        if not content:
            raise WebConfigError(
                f"{section.called(name)}: is missing or empty; TLS needs cert_file and key_file"
            )
    if made.minimum > made.maximum:
        raise section.wrong(
            "max_version", made.maximum, f"at least min_version, {made.minimum}, was expected"
        )
    return made


def _client_auth(section: Fields) -> ClientAuth:
    known = (*(str(auth) for auth in ClientAuth), *OLD_NAMES)
    said = section.one_of("client_auth_type", known, ClientAuth.NONE)
    if OLD_NAMES.get(said, said) == ClientAuth.REQUIRE_ANY:
        raise section.wrong(
            "client_auth_type",
            said,
            "a certificate cannot be taken here without being verified, and would prove nothing; "
            f"{ClientAuth.REQUIRE} with a client_ca_file was expected",
        )
    return ClientAuth(said)


def _allowed_names(section: Fields, auth: ClientAuth) -> frozenset[str] | None:
    names = section.texts("client_allowed_sans")
    if names is None:
        return None
    if not names:
        raise WebConfigError(
            f"{section.called('client_allowed_sans')}: is empty and would let in nobody: a name was expected"
        )
    if auth is not ClientAuth.REQUIRE:
        raise section.wrong(
            "client_auth_type", auth.value, f"with client_allowed_sans, {ClientAuth.REQUIRE} was expected"
        )
    return frozenset(names)


def _version(section: Fields, name: str, default: str) -> str:
    said = section.one_of(name, VERSIONS, default)
    if said not in SAFE_VERSIONS:
        raise section.wrong(
            name, said, f"is broken and not spoken here; expected {' or '.join(SAFE_VERSIONS)}"
        )
    return said


def _inline_or_file(section: Fields, name: str, folder: Path, read: Read) -> bytes | None:
    inline, file = section.text(name), section.text(f"{name}_file")
    if inline and file:
        raise WebConfigError(
            f"{section.called(name)}: stands beside {name}_file; one of the two was expected"
        )
    if any(mark in file for mark in MARKS_OF_PEM):
        raise WebConfigError(
            f"{section.called(f'{name}_file')}: is no path but PEM text, which belongs into `{name}`"
        )
    if not file:
        return inline.encode() or None
    try:
        return _content(folder / file, read)
    except WebConfigError as error:
        raise section.wrong(f"{name}_file", str(folder / file), str(error)) from None


def _content(path: Path, read: Read) -> bytes:
    try:
        return read(path)
    except FileNotFoundError:
        raise WebConfigError("there is no such file") from None
    except (OSError, ValueError) as error:  # The latter for a path with a NUL.
        why = error.strerror if isinstance(error, OSError) else "no path"
        raise WebConfigError(f"cannot be read: {why}; is it this user's to read?") from None


def _headers(section: Fields) -> tuple[tuple[str, str], ...]:
    section.truth("http2", default=True)
    headers = section.section("headers")
    section.end()
    said = headers.rest()
    for name, value in said.items():
        if name not in HEADERS:
            raise headers.wrong(name, value, f"this header cannot be set; known are {', '.join(HEADERS)}")
        if value and HEADERS[name] and value not in HEADERS[name]:
            raise headers.wrong(name, value, f"expected {' or '.join(HEADERS[name])}")
        if not (value.isascii() and value.isprintable()) and value:
            raise headers.wrong(name, value, "one line of ASCII was expected")
    return tuple((name, value) for name, value in said.items() if value)


def _users(section: Fields) -> dict[str, bytes]:
    said = section.rest()
    for name, secret in said.items():
        if ":" in name:
            raise WebConfigError(f"{section.called(name)}: a name with a colon can never log in")
        if not BCRYPT.fullmatch(secret):
            raise WebConfigError(
                f"{section.called(name)}: its value is no bcrypt hash; `htpasswd -nBC 10 {name}` makes one, $2y$10$…"
            )
    return {name: secret.encode() for name, secret in said.items()}


def _rate_limit(section: Fields) -> RateLimit | None:
    interval, burst = section.text("interval", "0"), section.text("burst", "0")
    seconds = _seconds(interval)
    if seconds is None:
        raise section.wrong(
            "interval", interval, "a length of time was expected, as 1s or 500ms, or 0 for no limit"
        )
    if not re.fullmatch(r"[0-9]{1,9}", burst):
        raise section.wrong("burst", burst, "a whole number was expected")
    if seconds and int(burst) < 1:
        raise section.wrong("burst", burst, "it would let in nobody; at least 1 was expected")
    section.end()
    return RateLimit(seconds, int(burst)) if seconds else None


def _seconds(text: str) -> float | None:
    if text == "0":
        return 0.0
    parts = DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * SECONDS[unit] for number, unit in parts)
