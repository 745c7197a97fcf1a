"""The way in as the operator configured it: TLS and who may read, both re-read when their files change."""

import functools
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exporter.access import Access
from exporter.fields import WebConfigError
from exporter.tls import context
from exporter.watched import Read, Watched
from exporter.web import ClientAuth, WebConfig, read_config


@dataclass(frozen=True, slots=True)
class Door:
    """What the server needs."""

    access: Access
    tls: Callable[[], ssl.SSLContext] | None
    """Asked at each handshake; None: plain HTTP."""


def open_door(config_file: Path | None = None, token_file: Path | None = None) -> Door:
    """Read the files; without any, everybody may read.

    Raises:
        WebConfigError: one of them is wrong; the text says which, where and what would be right.

    """
    config, tls = _config(config_file) if config_file else (WebConfig, None)
    if token_file is None:
        return Door(Access(config), tls)
    token = Watched(functools.partial(_token, token_file), what="web token")
    return Door(Access(config, token.current), tls)


def _config(path: Path) -> tuple[Callable[[], WebConfig], Callable[[], ssl.SSLContext] | None]:
    watched = Watched(functools.partial(_load, path), what="web config", objection=_objection)
    speaks_tls = watched.current()[1] is not None

    def tls() -> ssl.SSLContext:
        made = watched.current()[1]
        assert made is not None, "_objection keeps TLS"  # noqa: S101 - or plain HTTP would be served.
        return made

    return lambda: watched.current()[0], tls if speaks_tls else None


def _load(path: Path, read: Read) -> tuple[WebConfig, ssl.SSLContext | None]:
    config = read_config(path, read)
    try:
        return config, context(config.tls) if config.tls else None
    except WebConfigError as error:
        raise WebConfigError(f"{path}: {error}") from None


def _objection(old: tuple[WebConfig, object], new: tuple[WebConfig, object]) -> str | None:
    """A file that an editor has emptied for a moment is a valid one, and must not open what was closed."""
    before, after = _locks(old[0]), _locks(new[0])
    if gone := before - after:
        return f"it has no {' and no '.join(sorted(gone))} any more; restart the exporter if that is meant"
    if "TLS" in after - before:
        return "it has TLS now; restart the exporter to begin with it"
    return None


def _locks(config: WebConfig) -> set[str]:
    tls = config.tls
    found = {
        "TLS": tls is not None,
        "required client certificates": tls is not None and tls.client_auth is ClientAuth.REQUIRE,
        "client_allowed_sans": tls is not None and tls.allowed_names is not None,
        "basic_auth_users": bool(config.users),
    }
    return {lock for lock, there in found.items() if there}


def _token(path: Path, read: Read) -> str:
    try:
        token = read(path).strip()
    except FileNotFoundError:
        raise WebConfigError(f"{path} is not there: it should hold the token") from None
    except OSError as error:
        raise WebConfigError(f"{path} cannot be read: {error.strerror}; is it this user's to read?") from None
    if not token:
        raise WebConfigError(f"{path} is empty: it should hold the token")
    if not all(ord("!") <= byte <= ord("~") for byte in token):
        raise WebConfigError(f"{path} should hold one token and nothing else: ASCII without spaces")
    return token.decode()
