"""`[shared]` of `receiver.toml`: an identity that several workers share, for devices that know one key and one endpoint."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from failover_receiver.publishing.places import Place
from wgfleet.names import check_address, check_endpoint, check_prefix, check_public_key

Prefix = Annotated[str, AfterValidator(check_prefix)]


class Shared(Place):
    """What devices are told of it. The private key is the workers' own business: the receiver never has it."""

    page: ClassVar[str] = "dns.md"

    public_key: Annotated[str, AfterValidator(check_public_key)]
    """Of the interface that the workers share, as `wg show wg1 public-key` prints it on each."""
    endpoint: Annotated[str, AfterValidator(check_endpoint)]
    """The name or anycast address that leads to one of them, with the port of that interface: as `vpn.example.com:51821`."""
    pools: Annotated[tuple[Prefix, ...], Field(min_length=1)]
    """Networks that such devices' tunnel addresses are given from, as `shared_networks` on the workers; none of client_pools."""
    tunnel_addresses: Annotated[
        tuple[Annotated[str, AfterValidator(check_address)], ...], Field(min_length=1)
    ]
    """The workers' own on that interface, the same on each: devices are given others."""
    allowed_ips: Annotated[tuple[Prefix, ...], Field(min_length=1)] = ("0.0.0.0/0", "::/0")
    """What devices send through it."""
    keepalive: int = Field(default=25, ge=0, le=65535)
    """Seconds; 0: none."""
    mtu: int | None = Field(default=None, ge=1280, le=9000)
    """Bytes, of devices' interfaces; without it, they choose."""
    dns: tuple[Annotated[str, AfterValidator(check_address)], ...] = ()
    """Name servers that devices use; such that every worker leads to."""
