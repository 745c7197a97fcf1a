"""Who may hold a token, and as what. Pure: values alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a token's holder is."""

    OPERATOR = "operator"
    ALERTMANAGER = "alertmanager"
    PROMETHEUS = "prometheus"
    WORKER = "worker"
    CLIENT = "client"
    VANTAGE = "vantage"
    FOLLOWER = "follower"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks."""

    name: str
    role: Role
    digest: str
    """Of the token that was shown: a new token of the same name is another holder."""
    expires_at: float | None = None


Holders = Mapping[str, Holder]
"""By the digests of their tokens."""
