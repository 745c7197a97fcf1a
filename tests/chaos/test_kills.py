"""A slice of `make chaos`, and what its ledger notices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from failover_receiver.state import Alert, Decided, State, Worker
from failover_receiver.store import Document, SqliteStore, StoredToken
from tests.chaos.kills import kills
from tests.chaos.ledger import Ledger
from tests.failover_receiver.story import spec
from wgfleet.peerset import TYPE


@pytest.fixture
def anyio_backend() -> str:
    """As the receiver runs."""
    return "asyncio"


@pytest.mark.anyio
async def test_what_was_answered_survives_kills_under_load(tmp_path: Path) -> None:
    """Alerts, workers, decisions and tokens; no number goes back or has other bytes."""
    outcome = await kills(tmp_path / "receiver", 6, seed=7)

    assert (outcome.kills, outcome.lost, outcome.rolled_back) == (6, [], [])
    assert outcome.answered > 20
    assert outcome.documents > 5


STATE = State(
    fleet="test",
    generation=3,
    workers={"fra1": Worker(spec(1))},
    alerts={"up": Alert("Up", "admit", "fra1", 5.0, 5.0)},  # type: ignore[arg-type] # A word, as it is kept.
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """One worker, one alert, one decision, one token, one document."""
    made = SqliteStore(tmp_path / "receiver.db")
    decided = [Decided("fra1", None, None, "registered")]
    made.save(STATE, Document(TYPE, 1, 3, b"three"), decided, at=0.0, who="somebody")
    made.tokens.add(StoredToken("phone", "client", "digest", 0.0))
    yield made
    made.close()


def test_a_store_that_has_everything_has_lost_nothing(store: SqliteStore) -> None:
    """What was not answered may be there or not."""
    ledger = Ledger(
        alerts={"up": 5.0}, workers={"fra1": True, "ams1": False, "waw1": None}, tokens={"phone": True, "old": False},
        events={("fra1", 3)}, number=(1, 3), shown={(1, 3): "three"},
    )  # fmt: skip

    ledger.check_number(store)

    assert (list(ledger.lost(store)), ledger.rolled_back) == ([], [])


@pytest.mark.parametrize(
    ("ledger", "lost"),
    [
        (Ledger(alerts={"up": 6.0}), "alert up that began at 6.0"),
        (Ledger(alerts={"down": 1.0}), "alert down"),
        (Ledger(workers={"ams1": True}), "worker ams1, which should be there"),
        (Ledger(workers={"fra1": False}), "worker fra1, which should not be there"),
        (Ledger(tokens={"laptop": True}), "token laptop"),
        (Ledger(tokens={"phone": False}), "token phone"),
        (Ledger(events={("fra1", 2)}), "the decision on fra1 of generation 2"),
    ],
)
def test_each_kind_of_loss_is_noticed(store: SqliteStore, ledger: Ledger, lost: str) -> None:
    """One at a time."""
    (said,) = ledger.lost(store)

    assert said.startswith(lost)


def test_a_number_that_goes_back_is_noticed(store: SqliteStore) -> None:
    """In the store, and in what a watcher sees; as are other bytes under the same number."""
    behind, other, watching = Ledger(number=(1, 4)), Ledger(shown={(1, 3): "tree"}), Ledger()

    behind.check_number(store)
    other.check_number(store)
    for number, document in (((1, 3), "a"), ((1, 2), "b"), ((1, 3), "c")):
        watching.saw(number, document)

    assert len(behind.rolled_back) == len(other.rolled_back) == 1
    assert watching.rolled_back == ["(1, 2) was shown after (1, 3)", "(1, 3) was shown with other bytes"]
