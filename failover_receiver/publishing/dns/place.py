"""`[dns]` of `receiver.toml`. Without dnspython: whoever keeps no name need not have it."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from failover_receiver.publishing.places import Place
from wgfleet.names import check_endpoint, check_name

PORT = 53
ALGORITHMS = ("hmac-sha256", "hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1", "hmac-md5")
"""The first where none is said."""
DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))+")


def _server(value: str) -> str:
    """`host:port` of a server whose port may be left out, or ValueError."""
    bare_six = value.count(":") > 1 and not value.startswith("[")
    with_port = f"[{value}]" if bare_six else value
    try:
        return check_endpoint(f"{with_port}:{PORT}" if bare_six else with_port)
    except ValueError:
        return check_endpoint(f"{with_port}:{PORT}")


def _domain(value: str) -> str:
    """A domain without the dot at its end, or ValueError."""
    domain = value.lower().removesuffix(".")
    if not DOMAIN.fullmatch(domain):
        raise ValueError("not a domain: as vpn.example.com")
    return domain


def _algorithm(value: str) -> str:
    if value not in ALGORITHMS:
        raise ValueError(f"one of {', '.join(ALGORITHMS)} was expected")
    return value


class Dns(Place):
    """Where the name is kept, and who may change it."""

    page: ClassVar[str] = "dns.md"

    server: Annotated[str, AfterValidator(_server)]
    """The zone's primary server, as `192.0.2.53` or `ns1.example.com:5353`; updates go by TCP."""
    zone: Annotated[str, AfterValidator(_domain)]
    """The zone that takes updates."""
    name: Annotated[str, AfterValidator(_domain)]
    """The name that leads to what serves; its A and AAAA records are this receiver's alone."""
    key_file: Path
    """The TSIG key: as `tsig-keygen` prints it, or one line, `name:secret`. It is read for each update."""
    algorithm: Annotated[str, AfterValidator(_algorithm)] | None = None
    """Of the key, where the file does not say it; without it, hmac-sha256."""
    ttl: int = Field(default=20, ge=1, le=3600)
    """Seconds that resolvers remember the name: a change takes as long to reach everybody."""
    workers: tuple[Annotated[str, AfterValidator(check_name)], ...] = ()
    """Those that the name may lead to, as those that share an identity; empty: all."""
    look_interval: float = Field(default=60.0, ge=1, le=86400)
    """Seconds between looks at the records, which are put right if somebody else changed them."""

    @model_validator(mode="after")
    def _within(self) -> Self:
        if not f".{self.name}".endswith(f".{self.zone}"):
            raise PydanticCustomError("secret", f"name: {self.name} is not within the zone {self.zone}")
        return self
