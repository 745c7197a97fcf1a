"""Bundles that have been made out: what each one is good for, and until when. Pure: values in, values out."""

from dataclasses import dataclass, field
from enum import StrEnum

from failover_receiver.registry.clients import Wish
from failover_receiver.state import WorkerSpec

LIFETIME = 3600.0
"""Seconds. A bundle is carried to a machine and used there at once; one that was forgotten somewhere must not work."""

REMEMBERED = 86400.0
"""Seconds. So long one that was used or has expired is listed, to tell an operator why it does not work."""


class Standing(StrEnum):
    """What has become of a bundle."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator said of the machine that will use it."""

    again: bool = False
    """It is known: its key and token are replaced."""
    addresses: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    worker: WorkerSpec | None = None
    """All of a worker but its key."""
    receivers: tuple[str, ...] = ()
    """Where the machine reaches the receiver."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One bundle. Its repr does not show the digest of its secret."""

    digest: str = field(repr=False)
    name: str
    role: str
    asked: Asked
    made_by: str
    made_at: float
    expires_at: float
    used_at: float | None = None

    def standing(self, now: float) -> Standing:
        """What has become of it."""
        if self.used_at is not None:
            return Standing.USED
        return Standing.OPEN if now < self.expires_at else Standing.EXPIRED

    def is_forgotten(self, now: float) -> bool:
        """Whether it is of no interest any more."""
        over = self.expires_at if self.used_at is None else self.used_at
        return now - over > REMEMBERED

    def wish(self, public_key: str) -> Wish:
        """What is wished of the client that uses it."""
        return Wish(
            self.name, public_key, self.asked.addresses, self.asked.networks, new_key=self.asked.again
        )
