"""What the page calls things. Pure. Each state has a shape beside its word, so that nobody needs to see colours."""

from datetime import UTC, datetime

from failover_receiver.state import Reason
from wgfleet.peerset import WorkerState

SHAPES = {
    WorkerState.SERVING: "●",
    WorkerState.JOINING: "◐",
    WorkerState.DRAINING: "▽",
    WorkerState.SUSPECT: "◆",
    WorkerState.DOWN: "✕",
    WorkerState.BANNED: "⊘",
}

REASONS = {
    Reason.REGISTERED: "never heard up yet",
    Reason.UP: "heard up, and nothing speaks against it",
    Reason.ADMITTED: "let in by an operator, and not heard of since",
    Reason.OVERLOADED: "up, but overloaded: new clients avoid it",
    Reason.WORKER_DOWN: "monitoring says that it is down",
    Reason.WORKER_DEGRADED: "it answers, but its own way out fails",
    Reason.HOLD_DOWN: "heard up again, but not for long enough yet",
    Reason.TOO_MANY_DOWN: "too many are down at once: monitoring itself is in doubt",
    Reason.DRAINED: "an operator is emptying it",
    Reason.DRAINED_ITSELF: "its daemon was stopped, and is emptying it",
    Reason.BANNED: "an operator has barred it",
}


def shape(state: str) -> str:
    """Of a state; of one that is not known, a question."""
    return SHAPES.get(WorkerState(state), "?") if state in set(WorkerState) else "?"


def reason(word: str) -> str:
    """In a few words; of one that is not known, itself."""
    return REASONS.get(Reason(word), word) if word in set(Reason) else word.replace("_", " ")


def age(seconds: float) -> str:
    """How long ago, as roughly as people say it. static/page.js counts on in the same words."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds < 59.5 else "59 s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h"
    return f"{seconds // 86400:.0f} d"


def clock(at: float) -> str:
    """Date and time, in UTC as everywhere."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def machine(at: float) -> str:
    """The same for programs."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
