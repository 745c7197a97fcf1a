"""An enrolment bundle: one line of text that lets one machine join a fleet, once.

It says where the receiver is and which keys sign its documents, and has a secret that the receiver takes once. There
is no private key in it: the machine makes its own and sends the public half.
"""

import base64
import json
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field

from wgfleet.fields import DocumentError, Fields
from wgfleet.names import check_name

PREFIX = "wgfleet-bundle-1."
ROLES = ("client", "worker", "vantage")


class BundleError(ValueError):
    """The text is no bundle; it says what is wrong and never quotes it, because a secret is in it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a machine needs to join. Its repr does not show the secret."""

    fleet: str
    receivers: tuple[str, ...]
    """URLs, to be tried in this order."""
    name: str
    """What the machine will be called."""
    role: str
    secret: str = field(repr=False)
    expires_at: float
    """UNIX time, seconds."""
    signing_keys: tuple[str, ...]
    """Public, to be pinned."""
    ca: str | None = None
    """The authority of the receiver's certificate in PEM; None: the machine's own authorities."""

    def to_text(self) -> str:
        """One line, to be kept as a secret."""
        said = {
            "fleet": self.fleet,
            "receivers": self.receivers,
            "name": self.name,
            "role": self.role,
            "secret": self.secret,
            "expires_at": self.expires_at,
            "signing_keys": self.signing_keys,
            "ca": self.ca,
        }
        packed = json.dumps(said, separators=(",", ":")).encode()
        return PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "Bundle":
        """Read what `to_text` wrote; raises BundleError."""
        try:
            return _read(Fields("bundle", json.loads(_unpacked(text.strip()))))
        except DocumentError as error:
            raise BundleError(str(error)) from None
        except (ValueError, RecursionError):  # Without its text, which may quote.
            raise BundleError(
                f"the bundle is damaged: copy the whole line that begins with {PREFIX}"
            ) from None


def check_url(value: str) -> str:
    """Return a receiver's URL without a slash at its end, or raise ValueError that says what would be right."""
    try:
        url = urllib.parse.urlsplit(value)
        usable = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:  # Of the port, or of a bracket that is left open.
        usable = False
    if not usable or url.query or url.fragment or not value.isprintable():
        raise ValueError("not a receiver's URL: as https://vpn.example.com:9587")
    if url.username is not None:
        raise ValueError("a receiver's URL with a password in it, which would be logged")
    return value.rstrip("/")


def _unpacked(text: str) -> bytes:
    if not text.startswith(PREFIX):
        if text.startswith("wgfleet-bundle-"):
            raise DocumentError(f"the bundle is of another version: this program reads {PREFIX}")
        raise DocumentError(f"this is no bundle: one line that begins with {PREFIX} was expected")
    packed = text.removeprefix(PREFIX)
    return base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)


def _read(fields: Fields) -> Bundle:
    return Bundle(
        fleet=fields.get("fleet", str, check=check_name),
        receivers=_some(fields, "receivers", fields.texts("receivers", check_url)),
        name=fields.get("name", str, check=check_name),
        role=fields.get("role", str, check=_role),
        secret=_secret(fields),
        expires_at=fields.number("expires_at"),
        signing_keys=_some(fields, "signing_keys", fields.texts("signing_keys", str)),
        ca=fields.get("ca", str, default=None),
    )


def _some(fields: Fields, field: str, values: Sequence[str]) -> tuple[str, ...]:
    if not values:
        raise DocumentError(f"{fields.where}: {field} is empty: one at least was expected")
    return tuple(values)


def _role(value: str) -> str:
    if value not in ROLES:
        raise ValueError(f"{value!r} is no role: one of {', '.join(ROLES)}")
    return value


def _secret(fields: Fields) -> str:
    try:
        secret: str = fields.get("secret", str)
    except DocumentError:  # Which would quote it.
        raise DocumentError(f"{fields.where}: secret is missing, or no text") from None
    if not secret:
        raise DocumentError(f"{fields.where}: secret is empty")
    return secret
