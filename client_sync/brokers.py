"""What the configuration says of an MQTT broker that is followed in the receiver's place: `[mqtt]`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from client_sync import readers

PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it is, and what it wants."""

    url: str
    """`mqtts://` for TLS, `mqtt://` for none."""
    topic: str | None = None
    """None: as the receiver's default has it, `wgfleet/FLEET/peer-set`."""
    ca_file: Path | None = None
    """Trust the broker's certificate by this authority only; None: by the system's."""
    cert_file: Path | None = None
    """The certificate that is shown to it, and its key."""
    key_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None

    @property
    def is_secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.url.startswith("mqtts:")

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or PORTS[parts.scheme]

    def within(self, folder: Path) -> "Broker":
        """The same with relative paths counted from the folder."""
        said = ((field.name, getattr(self, field.name)) for field in fields(self))
        paths: dict[str, Any] = {key: folder / one for key, one in said if isinstance(one, Path)}
        return replace(self, **paths)


def read(value: object) -> Broker:
    """The whole table. Raises ValueError with every fault in it; none quotes what may be a secret."""
    if not isinstance(value, Mapping):
        raise ValueError("a table was expected: [mqtt], and below it url = …")  # noqa: TRY004 - all faults are of one kind.
    faults = [] if "url" in value else ["url is missing"]
    said: dict[str, Any] = {}
    for key, one in value.items():
        reader = _READERS.get(key)
        if reader is None:
            faults.append(f"{key}: there is no such key; known are {', '.join(sorted(_READERS))}")
            continue
        try:
            said[key] = reader(one)
        except ValueError as error:
            faults.append(f"{key}: {error}")
    faults += [] if faults else _together(said)
    if faults:
        raise ValueError("; ".join(faults))
    return Broker(**said)


def _together(said: Mapping[str, Any]) -> list[str]:
    """What does not go together."""
    faults = []
    if ("cert_file" in said) != ("key_file" in said):
        faults.append("cert_file and key_file: a client certificate is a certificate and its key")
    if "password_file" in said and "username" not in said:
        faults.append("username: is missing, with password_file")
    if said["url"].startswith("mqtt:") and {"ca_file", "cert_file"} & set(said):
        faults.append("url: files for TLS are said, so mqtts:// was expected")
    return faults


def _url(value: object) -> str:
    text = readers.text(value)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # Of the port, or of a bracket that is left open.
        usable = False
    if not usable or "@" in text or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            "a broker's URL was expected, without user or password: as mqtts://broker.example.com:8883"
        )
    return text.rstrip("/")


def _topic(value: object) -> str:
    text = readers.text(value)
    if {"+", "#", "\0"} & set(text):
        raise ValueError("one topic was expected, as wgfleet/example/peer-set")
    return text


def _path(value: object) -> Path:
    return Path(readers.text(value))


_READERS: Mapping[str, Callable[[object], object]] = {
    "url": _url,
    "topic": _topic,
    "ca_file": _path,
    "cert_file": _path,
    "key_file": _path,
    "username": readers.text,
    "password_file": _path,
}
