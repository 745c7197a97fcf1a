"""Tests of failover_receiver/setup.py."""

import stat
from pathlib import Path

import pytest

from failover_receiver import setup
from failover_receiver.access import Role, digest
from failover_receiver.holding import held
from failover_receiver.settings import load
from failover_receiver.state import State, Worker
from failover_receiver.store import SqliteStore, StoredToken
from tests.failover_receiver.story import spec
from wgfleet.files import read_secret, write_whole
from wgfleet.signing import Signer

FILES = [
    "signing.key",
    "operator.token",
    "alertmanager.token",
    "prometheus.token",
    "receiver.db",
    "receiver.toml",
]


def tokens(directory: Path) -> list[StoredToken]:
    """What the store knows."""
    store = SqliteStore(directory / "receiver.db")
    known = store.tokens.all()
    store.close()
    return known


def history(directory: Path) -> list[tuple[str, str, str, str]]:
    """Who did what to whom, and why."""
    store = SqliteStore(directory / "receiver.db")
    events = store.events(10)
    store.close()
    return [(event.who, event.what, event.subject, event.reason) for event in events]


def test_a_new_folder_holds_everything_that_run_needs(tmp_path: Path) -> None:
    """A configuration that can be read, a signing key, and the first tokens, which the store knows."""
    directory = tmp_path / "var" / "receiver"

    files = setup.make(directory, "test")

    assert files == [directory / name for name in FILES]
    assert all(file.is_file() for file in files)
    settings = load(directory / "receiver.toml")
    assert (settings.fleet, settings.store) == ("test", directory / "receiver.db")
    assert Signer.from_text(read_secret(settings.signing_key_file)).public_text
    assert [(token.name, token.role, token.digest) for token in tokens(directory)] == [
        (role, role, digest(read_secret(directory / f"{role}.token")))
        for role in (Role.ALERTMANAGER, Role.OPERATOR, Role.PROMETHEUS)
    ]


def test_nothing_but_the_configuration_is_for_other_eyes(tmp_path: Path) -> None:
    """Keys, tokens and store are their owner's alone, whatever the umask; the folder lists to its group."""
    directory = tmp_path / "receiver"

    setup.make(directory, "test")

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()}
    assert modes == dict.fromkeys(FILES, 0o600) | {"receiver.toml": 0o640}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750


def test_a_second_init_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    """The keys there are what clients trust."""
    setup.make(tmp_path, "test")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    with pytest.raises(ValueError, match="is already there") as caught:
        setup.make(tmp_path, "other")

    assert str(caught.value) == (
        f"{tmp_path / 'receiver.toml'} is already there: its keys are what clients trust; choose another folder"
    )
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_new_store_says_whose_it_is_and_who_made_it(tmp_path: Path) -> None:
    """Before a receiver has run on it, and anew where one is lost."""
    setup.make(tmp_path, "test")
    first = history(tmp_path)
    (tmp_path / "receiver.db").unlink()
    setup.begin_anew(tmp_path, tmp_path / "receiver.db", "test")

    assert first == [("init", "store made", "test", "a new fleet")]
    assert history(tmp_path) == [("init", "store made", "test", "the store before is lost")]


def test_an_init_that_was_cut_off_can_be_repeated_under_another_name(tmp_path: Path) -> None:
    """Nobody has trusted the first one."""
    setup.make(tmp_path, "test")
    (tmp_path / "receiver.toml").unlink()

    setup.make(tmp_path, "other")

    store = SqliteStore(tmp_path / "receiver.db")
    assert store.load() == State(fleet="other")
    store.close()


def test_two_receivers_share_no_secret(tmp_path: Path) -> None:
    """Neither key nor token."""
    for name in ("one", "two"):
        setup.make(tmp_path / name, "test")

    for name in FILES[:4]:
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "two" / name).read_bytes()


class PowerCutError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("written", range(5))
def test_an_init_that_was_cut_off_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """After any of its files; the tokens that lie there in the end are those that open."""
    write = write_whole
    left = [None] * written

    def until_power_cut(path: Path, content: bytes, *, mode: int = 0o600) -> None:
        if not left:
            raise PowerCutError
        left.pop()
        write(path, content, mode=mode)

    with monkeypatch.context() as cut:
        cut.setattr("failover_receiver.setup.write_whole", until_power_cut)
        with pytest.raises(PowerCutError):
            setup.make(tmp_path, "test")

    setup.make(tmp_path, "test")

    assert {token.name: token.digest for token in tokens(tmp_path)} == {
        role: digest(read_secret(tmp_path / f"{role}.token")) for role in setup.FIRST_TOKENS
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(FILES)


# What is lost of it.


def test_a_token_is_made_where_every_one_is_lost(tmp_path: Path) -> None:
    """It opens at the next start, and the history tells of it."""
    setup.make(tmp_path, "test")

    secret = setup.make_token(tmp_path / "receiver.db", "alice", Role.OPERATOR, now=5.0)

    (made,) = [token for token in tokens(tmp_path) if token.name == "alice"]
    assert (made.role, made.digest, made.created_at) == ("operator", digest(secret), 5.0)
    store = SqliteStore(tmp_path / "receiver.db")
    *_, event = store.events(10)
    store.close()
    assert (event.who, event.what, event.subject, event.reason) == (
        "token",
        "token made",
        "alice",
        "operator",
    )


def test_a_token_is_not_made_under_a_receiver_that_runs(tmp_path: Path) -> None:
    """It would not know of it."""
    setup.make(tmp_path, "test")
    store = tmp_path / "receiver.db"

    with held(store), pytest.raises(ValueError, match="stop it first"):
        setup.make_token(store, "alice", Role.OPERATOR, now=5.0)

    assert len(tokens(tmp_path)) == 3


def test_a_token_takes_nobodys_name(tmp_path: Path) -> None:
    """Not that of another token, and not a worker's, whose own token has it."""
    setup.make(tmp_path, "test")
    store = SqliteStore(tmp_path / "receiver.db")
    store.save(State(fleet="test", workers={"fra1": Worker(spec(1))}), None, [], at=0.0, who="somebody")
    store.close()

    for name, why in (("operator", "already a token named"), ("fra1", "is the name of a worker")):
        with pytest.raises(ValueError, match=why):
            setup.make_token(tmp_path / "receiver.db", name, Role.OPERATOR, now=5.0)


def test_a_folder_that_has_lost_its_store_gets_a_new_one(tmp_path: Path) -> None:
    """With the tokens whose files are still there, so that Prometheus and Alertmanager go on; the key stays."""
    setup.make(tmp_path, "test")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != "receiver.db"}
    (tmp_path / "receiver.db").unlink()
    (tmp_path / "operator.token").unlink()

    files = setup.begin_anew(tmp_path, tmp_path / "receiver.db", "test")

    assert files == [tmp_path / f"{role}.token" for role in setup.FIRST_TOKENS]
    assert {token.name: token.digest for token in tokens(tmp_path)} == {
        role: digest(read_secret(tmp_path / f"{role}.token")) for role in setup.FIRST_TOKENS
    }
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"operator.token"}
    assert stat.S_IMODE((tmp_path / "receiver.db").stat().st_mode) == 0o600
