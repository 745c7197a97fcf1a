"""Tests of failover_receiver/store/texts.py and dsn.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_receiver.store.dsn import Dsn, is_uri
from failover_receiver.store.texts import NUL, as_kept, as_said


@given(text=st.text(alphabet=st.sampled_from("\x00\x0101a")))
def test_any_text_comes_back_without_a_nul_on_the_way(text: str) -> None:
    """Also one that holds what stands for a NUL."""
    kept = as_kept([text, 1, None])

    assert NUL not in str(kept[0])
    assert as_said(kept) == (text, 1, None)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://db.example/fleet", "postgresql://db.example/fleet"),
        ("postgresql://me:hush@db.example:5432/fleet", "postgresql://me@db.example:5432/fleet"),
        ("postgresql://me@a,b/fleet?password=hush&sslmode=require", "postgresql://me@a,b/fleet?sslmode=require"),
        ("postgresql://me:h%40ush@[::1]:5432,b:1/fleet", "postgresql://me@[::1]:5432,b:1/fleet"),
        ("postgresql://me@%2Fvar%2Frun/fleet", "postgresql://me@%2Fvar%2Frun/fleet"),
        ("postgresql:///?service=wgfleet&passfile=/etc/pass", "postgresql:///?service=wgfleet&passfile=/etc/pass"),
    ],
)  # fmt: skip
def test_a_uri_is_shown_without_its_password(uri: str, shown: str) -> None:
    """As text, in an error and in a log; its repr shows nothing at all."""
    dsn = Dsn.parse(uri)

    assert str(dsn) == shown
    assert "ush" not in f"{dsn} {dsn!r}"
    assert dsn.has_password == ("ush" in uri)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://me:hush@[::1/fleet",
        "postgresql://me:hu%sh@db/fleet",  # libpq quotes the whole password then,
        "postgresql://me:x@hush@db/fleet",  # takes this for a host, which is looked up and named,
        "postgresql://me:x/hush@db/fleet",  # and we this for a database.
        "postgresql://db/fleet?password=hush%",
    ],
)
def test_what_is_no_uri_is_not_quoted(uri: str) -> None:
    """There may be a password in it."""
    with pytest.raises(ValueError, match=r"^not a connection URI of PostgreSQL: as postgresql://") as caught:
        Dsn.parse(uri)

    assert "hush" not in str(caught.value)
    assert is_uri("postgres://x")
    assert not is_uri("/srv/receiver.db")
