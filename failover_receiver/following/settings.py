"""A follower's configuration: one TOML file, as the receiver's."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from failover_receiver import settings
from failover_receiver.settings import BaseUrl, Network
from wgfleet.names import check_name
from wgfleet.signing import Verifier


def _pins(keys: list[str]) -> list[str]:
    """Public signing keys, or an error that does not quote them: one may be a secret in the wrong place."""
    try:
        Verifier(keys)
    except ValueError as error:
        raise PydanticCustomError("secret", "{why}", {"why": str(error)}) from None
    return keys


class FollowerSettings(BaseModel):
    """What `follower.toml` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    fleet: Annotated[str, AfterValidator(check_name)]
    """The fleet's name; documents of another are refused."""
    receivers: Annotated[list[BaseUrl], Field(min_length=1)]
    """Whom to follow, best first: the receiver, or other followers."""
    token_file: Path
    """Holds the token, of the role follower, that they ask for."""
    trusted_keys: Annotated[list[str], AfterValidator(_pins)]
    """The receiver's public signing key, as `wgfleet signing-key` prints it: what is not signed with it is not served."""
    ca_file: Path | None = None
    """The authority of their certificates; without it, those that the system trusts."""
    listen_address: str = "127.0.0.1"
    """For clients to reach it: `0.0.0.0` or `::`, with TLS or behind a proxy."""
    listen_port: int = Field(default=9587, ge=0, le=65535)
    """0: any that is free, as the log says."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that share the port. At most one for each processor core."""
    open_health: bool = False
    """Answer /metrics without a token."""
    trusted_proxies: list[Network] = []
    """Addresses or networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    tls_certificate_file: Path | None = None
    """With it, the follower speaks https; the chain, in PEM."""
    tls_key_file: Path | None = None
    """Its key, without a password."""


def load(path: Path) -> FollowerSettings:
    """Read the file; relative paths in it count from its own folder. Raises ConfigurationError."""
    return settings.read(path, FollowerSettings, otherwise="docs/followers.md shows one")
