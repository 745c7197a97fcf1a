"""What survives a power cut: state, documents, history, tokens, and what other parts keep beside them."""

from failover_receiver.store.database import Database, StoreUnavailableError, Writing
from failover_receiver.store.history import HistoryEvent, Noted
from failover_receiver.store.shared import ChangedError, Heard, Made, SharedStore
from failover_receiver.store.sqlite import SqliteStore
from failover_receiver.store.store import Document, Store, check_fleet
from failover_receiver.store.tokens import StoredSession, StoredToken, Tokens

__all__ = [
    "ChangedError",
    "Database",
    "Document",
    "Heard",
    "HistoryEvent",
    "Made",
    "Noted",
    "SharedStore",
    "SqliteStore",
    "Store",
    "StoreUnavailableError",
    "StoredSession",
    "StoredToken",
    "Tokens",
    "Writing",
    "check_fleet",
]
