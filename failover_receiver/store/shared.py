"""A store that several receivers write to at once. How they come to one mind is decided here and in the engine's `decide`.

1. Every event is decided under a lock on the row `state` of `versions`, on the newest state that anyone has kept: whoever
   holds an older one reads it first. State, alerts, document and history are then one transaction. So a generation is
   given once, an operator's command is refused or done by what is true, and of several receivers whose timers ring for
   the same hold-down the first one decides and the others find nothing to do. There is no leader.
2. Time does not go back: a decision is made at the later of one's own clock and the last decision's time, where clocks
   differ by a few seconds at most. It is read under the lock: a frozen receiver must not decide with the time of before.
3. What is merely heard again (Watchdog, Up) is not worth a commit. Each receiver tells the others each second in `heard`
   what it heard when; `decide` reads it, so none is blind or misses a worker that any of them hears.
4. Triggers count in `versions` what changed, and notify. Others see a number that they do not hold and read again, by
   the notification at once, by a look each second in any case, and after each new connection.
5. Nobody holds the lock while it thinks of anything else: a receiver that is frozen with it is put out by PostgreSQL
   after IDLE_MILLISECONDS, or by whoever waits for it. A trigger refuses a document whose number does not rise, whoever writes it.
6. One fleet, and one key that signs. The key's name stands beside the version, and who has another one writes nothing: what
   is decided holds that row, and what else is written shares it, so a new key waits for both. The first that comes to an empty
   database makes it its fleet's, and another fleet's receiver is sent away before it has changed anything.
7. Clients, bundles and names are changed under a lock of the whole fleet (replicas/turns.py), and the versions that the
   change was made from are checked when it is written: who lost the lock meanwhile has changed nothing. A worker has a name,
   a key and addresses too: its registration is made from the clients' roll, and counts as a change of it.
8. A PostgreSQL that has lost commits (a standby that was behind took over) does not take numbers back: who remembers a
   higher one goes on above it.
"""

import json
import logging
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple

from failover_receiver.state import Decided, Effect, Remarked, State
from failover_receiver.store.database import StoreUnavailableError
from failover_receiver.store.store import Document, Store
from wgfleet.logs import say

log = logging.getLogger(__name__)


class ChangedError(StoreUnavailableError):
    """Another receiver has changed the same meanwhile: nothing was kept."""


class Made(NamedTuple):
    """What was decided, on which state that is, and when."""

    state: State
    effects: tuple[Effect, ...]
    document: Document | None
    now: float

    @property
    def decided(self) -> list[Decided | Remarked]:
        """For the history."""
        return [effect for effect in self.effects if isinstance(effect, Decided | Remarked)]


class Heard(NamedTuple):
    """What one receiver, or all together, heard last."""

    alerts: Mapping[str, float]
    """When each was last heard firing, by its fingerprint."""
    read_at: float = 0.0
    """When Alertmanagers' lists were last read."""

    @classmethod
    def read(cls, body: str) -> "Heard":
        """What another receiver tells; a newer program may tell more."""
        said = json.loads(body)
        return cls(said["alerts"], said["read_at"])


class SharedStore(Store):
    """What is asked of it beyond a file that one process has."""

    away: str | None = None
    """Why it is no use to connect, if somebody knows: whoever asks is told so at once."""
    signer: str | None = None
    """The key that this receiver signs with; None: it signs nothing."""

    def foreign(self, signer: str | None) -> str | None:
        """Why this receiver may decide nothing while the fleet's documents are signed with that key; None: it may."""
        if self.signer is None or signer == self.signer:
            return None
        return (
            f"documents are signed with key {signer} now, and this receiver has {self.signer}: "
            "copy the signing key's file from the receiver that has it, and restart this one"
        )

    @abstractmethod
    def decide(
        self,
        held: State,
        make: Callable[[State, float], Made],
        *,
        clock: Callable[[], float],
        who: str,
        made_from: Collection[str] = (),
    ) -> Made:
        """Let `make` decide on the newest state, and keep what it decides. `held` is what the caller took it to be.

        Without a document of its own, it has the one that the newest state was published by, if that is news. What it was
        made from besides must not have changed since it was read here, and whoever has read that must read it again.
        """

    @abstractmethod
    def newer(self, held: State) -> tuple[State, Document | None] | None:
        """The state and the peer set, if another receiver has changed them; None if not."""

    @abstractmethod
    def is_news(self, *whats: str) -> bool:
        """Whether another receiver has changed one of these since it was read here."""

    @abstractmethod
    def reading(self, *whats: str) -> AbstractContextManager[None]:
        """All that is read within is of one moment; afterwards these are no news."""

    @abstractmethod
    def doubt(self, what: str) -> None:
        """Count this as news again, though it was read: it was not taken in. From any thread."""


def not_behind(kept: State, held: State) -> State:
    """What is kept; under a number that nobody has seen yet, where the store has lost what it had committed.

    What is lost is lost, but for its number: clients that have seen it refuse other bytes under it.
    """
    have, had = (kept.epoch, kept.generation), (held.epoch, held.generation)
    if have > had or (have == had and kept.issued_at in {0.0, held.issued_at}):
        return kept
    if have == had and held.issued_at == 0.0:
        return replace(kept, issued_at=0.0)  # Another key signs from now on.
    say(log, "the store has lost what it had committed: look what is missing, and do it again", level=logging.ERROR,
        kept=f"{kept.epoch}.{kept.generation}", was=f"{held.epoch}.{held.generation}")  # fmt: skip
    return replace(kept, epoch=held.epoch, generation=held.generation, issued_at=0.0)
