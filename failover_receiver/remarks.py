"""What an operator's command did that no published state shows, for the history. Pure."""

from collections.abc import Sequence

from failover_receiver.state import Decided, DrainWished, Effect, Event, Remarked, State, WorkerRegistered

SHOWN = 8
"""Characters of a public key by which people tell it from another."""


def remarks(before: State, event: Event, after: State, effects: Sequence[Effect]) -> tuple[Remarked, ...]:
    """For this step's history."""
    match event:
        case DrainWished(name, drain) if before.workers[name].drain != drain:
            if any(isinstance(effect, Decided) and effect.worker == name for effect in effects):
                return ()
            state = next(worker.state for worker in after.published if worker.name == name)
            return (Remarked(name, "drained" if drain else "drain lifted", f"it stays {state}"),)
        case WorkerRegistered(name, spec) if name in before.workers:
            old, new = before.workers[name].spec.public_key, spec.public_key
            if old != new:
                return (Remarked(name, "key changed", f"from {old[:SHOWN]}… to {new[:SHOWN]}…"),)
    return ()
