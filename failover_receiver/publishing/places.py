"""What `receiver.toml` may say of the places where the peer set is published: a table for each."""

import re
import urllib.parse
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from wgfleet.names import check_name

MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
PREFIX = re.compile(r"[^/+#\0$][^+#\0]*[^/+#\0]|[^/+#\0$]")


def http_url(value: str) -> str:
    """One that a document can be sent to, or ValueError."""
    return _url(value, ("http", "https"), "https://chat.example.com/hooks/wgfleet")


def mqtt_url(value: str) -> str:
    """A broker's, or ValueError."""
    url = _url(value, tuple(MQTT_PORTS), "mqtts://broker.example.com:8883")
    if urllib.parse.urlsplit(url).path.strip("/"):
        raise ValueError("a broker's URL has no path: the topic begins with topic_prefix")
    return url


def _url(value: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        url = urllib.parse.urlsplit(value)
        usable = url.scheme in schemes and url.hostname and url.port != 0 and value.isascii()
    except ValueError:  # Of the port, or of a bracket that is left open.
        usable = False
    if not usable or any(character.isspace() for character in value):
        raise ValueError(f"not a URL: as {example}")
    if url.username is not None:
        raise PydanticCustomError("secret", "holds a password, which would be logged: say it in a file")
    return value


def _prefix(value: str) -> str:
    """How a topic may begin, or ValueError."""
    if not PREFIX.fullmatch(value):
        raise ValueError("not the begin of a topic: as wgfleet or sites/north, without + # and outer slashes")
    return value


class Place(BaseModel):
    """A table of the configuration."""

    page: ClassVar[str] = "publishers.md"
    """Where docs/ says how it behaves."""
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Addressed(Place):
    """A place with a name of its own and a URL, which is said or stands in a file."""

    name: Annotated[str, AfterValidator(check_name)]
    """In the log, and in the metrics' label; no two may have the same."""
    url: Annotated[str, AfterValidator(http_url)] | None = None
    """Where. Redirects are not followed."""
    url_file: Path | None = None
    """In its place, of a URL that is itself a secret: holds it, and is read each time, so it may be renewed."""
    ca_file: Path | None = None
    """The authority of its certificate; without it, those that the system trusts."""

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise PydanticCustomError("secret", "one of url and url_file was expected")
        return self


class Mqtt(Place):
    """`[mqtt]`."""

    url: Annotated[str, AfterValidator(mqtt_url)]
    """The broker: `mqtts://` for TLS, `mqtt://` for none."""
    topic_prefix: Annotated[str, AfterValidator(_prefix)] = "wgfleet"
    """The topic is this, the fleet and `peer-set`, with slashes between."""
    ca_file: Path | None = None
    """The authority of the broker's certificate; without it, those that the system trusts."""
    cert_file: Path | None = None
    """The certificate that is shown to a broker that asks for one."""
    key_file: Path | None = None
    """Its key."""
    username: str | None = None
    """As the broker knows the receiver."""
    password_file: Path | None = None
    """Holds the password; it is read for each connection."""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise PydanticCustomError("secret", "username: is missing, with password_file")
        if self.url.startswith("mqtt:") and (self.ca_file or self.cert_file or self.key_file):
            raise PydanticCustomError("secret", "url: files for TLS are said, so mqtts:// was expected")
        return self


class Webhook(Addressed):
    """`[[webhooks]]`."""

    secret_file: Path
    """Holds what notices are signed with, as `whsec_` and base64; one a line, while receivers change from one to another."""
    document: bool = False
    """Send the signed document along, and at each issue, not only when it says something else."""


class File(Place):
    """`[file]`."""

    path: Path
    """Where; its folder must be there, and this user's to write in."""
    world_readable: bool = True
    """The document holds no secret; false: for this user alone."""


class Upload(Addressed):
    """`[[uploads]]`."""

    headers_file: Path | None = None
    """Holds more headers, one a line, as `Authorization: Bearer …`; it is read each time, so it may be renewed."""
