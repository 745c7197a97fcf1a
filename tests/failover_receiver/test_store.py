"""Tests of failover_receiver/store, the same on each engine: a real file, a real PostgreSQL. What goes wrong is elsewhere."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover_receiver.state import Alert, State, Worker
from failover_receiver.store import Document, HistoryEvent, Noted, Store, StoredToken
from tests.failover_receiver.keeping import DOWN, Place, save


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """A new store."""
    new = place.open()
    yield new
    new.close()


# What is kept.


def test_a_new_store_is_empty(store: Store) -> None:
    """No state, no document, no history, nobody let in."""
    assert (store.load(), store.document("d"), store.events(10), store.tokens.all()) == (None, None, [], [])


def test_what_was_saved_is_there_in_the_next_life(store: Store, place: Place) -> None:
    """State, document and decision, read by another process's eyes."""
    save(store, 1)
    save(store, 2, DOWN)

    other = place.open()

    assert other.load() == State(fleet="test", generation=2)
    assert other.document("d") == Document("d", 1, 2, b"body 2")
    assert other.events(10) == [
        HistoryEvent(2.0, "somebody", "decided", "fra1", "serving", "down", "worker_down", 1, 2, 1)
    ]
    other.close()


def test_a_save_without_a_document_leaves_the_last_one(store: Store) -> None:
    """The state may change where nothing is published."""
    save(store, 1)

    store.save(State(fleet="test", generation=1, read_at=5.0), None, [], at=5.0, who="somebody")

    assert store.document("d") == Document("d", 1, 1, b"body 1")
    assert store.load() == State(fleet="test", generation=1, read_at=5.0)


def test_documents_of_different_types_do_not_touch_each_other(store: Store) -> None:
    """The newest of each."""
    save(store, 1)
    store.save(State(fleet="test"), Document("other", 1, 7, b"x"), [], at=0.0, who="somebody")

    assert store.document("d") == Document("d", 1, 1, b"body 1")
    assert store.document("other") == Document("other", 1, 7, b"x")
    assert store.document("third") is None


def test_the_newest_events_come_oldest_first(store: Store) -> None:
    """As many as asked for."""
    for number in range(1, 6):
        save(store, number, DOWN)

    assert [event.generation for event in store.events(3)] == [3, 4, 5]


def test_the_history_is_read_backwards_page_by_page(store: Store) -> None:
    """Each page's first id asks for the one before it; nothing twice, nothing missed."""
    for number in range(1, 8):
        save(store, number, DOWN)

    pages, before = [], None
    while page := store.events(3, before):
        pages.append([event.generation for event in page])
        before = page[0].id

    assert pages == [[5, 6, 7], [2, 3, 4], [1]]


def test_what_others_did_is_in_the_same_history(store: Store) -> None:
    """Only if their transaction holds."""
    noted = Noted(5.0, "alice", "client added", "phone", "by hand", 1, 3)
    with store.available(), store.transaction() as db:
        store.note(db, noted)
    with contextlib.suppress(ZeroDivisionError), store.transaction() as db:
        store.note(db, noted)
        1 / 0  # noqa: B018 - What goes wrong after the note.

    assert store.events(10) == [
        HistoryEvent(5.0, "alice", "client added", "phone", None, None, "by hand", 1, 3, 1)
    ]


def test_old_history_is_forgotten_a_little_at_a_time(store: Store) -> None:
    """As much as was asked for, until nothing old is left; what is young stays, and no id comes again."""
    for number in range(1, 8):
        save(store, number, DOWN)

    assert [store.forget_events(6.0, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert [event.generation for event in store.events(10)] == [6, 7]
    assert store.forget_events(100.0, 10) == 2
    save(store, 8, DOWN)
    assert [event.id for event in store.events(10)] == [8]


finite = st.floats(allow_nan=False, allow_infinity=False)
workers = st.builds(
    Worker, failed_at=st.none() | finite, up_since=st.none() | finite, failures=st.lists(finite).map(tuple)
)
alerts = st.builds(Alert, starts_at=finite, heard_at=finite, ended_at=st.none() | finite)
states = st.builds(
    State,
    issued_at=finite,
    read_at=finite,
    workers=st.dictionaries(st.text(), workers, max_size=3),
    alerts=st.dictionaries(st.text(), alerts, max_size=3),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=states)
def test_any_state_comes_back_as_it_was(store: Store, state: State) -> None:
    """To the last bit of every number and the last character of every text."""
    store.save(state, None, [], at=0.0, who="somebody")

    assert store.load() == state


few = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(
        Alert,
        name=st.sampled_from(["Up", "Down"]),
        worker=st.sampled_from([None, "fra1"]),
        starts_at=st.sampled_from([1.0, 2.0]),
        heard_at=st.sampled_from([1.0, 1000.0]),
        ended_at=st.sampled_from([None, 3.0]),
    ),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(few))
def test_after_any_history_the_last_state_comes_back(store: Store, history: list[dict[str, Alert]]) -> None:
    """Whatever came, changed and went in between."""
    for alerts in history:
        store.save(State(fleet="test", alerts=alerts), None, [], at=0.0, who="somebody")
        kept = store.load()
        assert kept is not None
        assert kept.alerts == alerts


# Tokens.


def token(name: str) -> StoredToken:
    """A token of that name."""
    return StoredToken(name, "client", f"digest of {name}", 5.0)


def test_tokens_are_kept_by_name(store: Store, place: Place) -> None:
    """In order, in the next life too."""
    store.tokens.add(token("b"))
    store.tokens.add(token("a"))

    other = place.open()

    assert other.tokens.all() == store.tokens.all() == [token("a"), token("b")]
    other.close()


def test_a_name_that_is_taken_is_refused(store: Store) -> None:
    """Or somebody's token would stop working without a word."""
    store.tokens.add(token("a"))

    with pytest.raises(ValueError, match=r"^there is already a token named 'a': revoke it first$"):
        store.tokens.add(StoredToken("a", "operator", "another", 6.0))

    assert store.tokens.all() == [token("a")]


def test_a_removed_token_is_gone_and_another_is_not(store: Store) -> None:
    """It says whether there was one."""
    store.tokens.add(token("a"))
    store.tokens.add(token("b"))

    assert store.tokens.remove("a") is True
    assert store.tokens.remove("a") is False
    assert store.tokens.all() == [token("b")]
