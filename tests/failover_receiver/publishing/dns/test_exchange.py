"""Tests of failover_receiver/publishing/dns/exchange.py: what a real BIND refuses, and what is said of it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover_receiver.publishing import PublishingError
from failover_receiver.publishing.dns.exchange import Server
from tests.failover_receiver.publishing.dns.server import OTHER_SECRET, Bind
from tests.lab.named import NAME

pytestmark = pytest.mark.anyio

WANTED = frozenset({"192.0.2.1", "2001:db8::1"})


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[Bind]:
    """As it should be."""
    with Bind(tmp_path) as bind:
        yield bind


async def refusal(bind: Bind, **said: Any) -> str:
    """What is said of an update, without the port."""
    with pytest.raises(PublishingError) as refused:
        await Server(bind.place(**said)).replace(WANTED)
    return str(refused.value).replace(f":{bind.named.port}", "")


async def test_the_old_addresses_go_and_the_new_ones_come_in_one_message(bind: Bind) -> None:
    """The zone's serial number rises by one."""
    server = Server(bind.place())
    await server.replace(frozenset({"192.0.2.9", "2001:db8::9"}))
    before = bind.serial()

    await server.replace(WANTED)

    assert (bind.records(), bind.records("AAAA")) == (["192.0.2.1"], ["2001:db8::1"])
    assert bind.serial() == before + 1
    assert await server.present() == (WANTED, {20})


async def test_another_secret_is_said(bind: Bind) -> None:
    """And quoted nowhere."""
    bind.key_file.write_text(bind.with_secret(OTHER_SECRET))

    assert await refusal(bind) == (
        "dns.key_file: 127.0.0.1 has another secret for the key: copy the same key to both"
    )


async def test_a_key_that_the_server_does_not_know_is_said(bind: Bind) -> None:
    """By name, or by its algorithm."""
    bind.key_file.write_text(f"other:{bind.named.secret}")
    said = (
        "dns.key_file: 127.0.0.1 knows no key of that name and algorithm: is it in the server's configuration, and was "
        "that loaded since (`rndc reconfig`)?"
    )

    assert await refusal(bind) == said
    bind.key_file.write_text(f"wgfleet:{bind.named.secret}")
    assert await refusal(bind, algorithm="hmac-sha512") == said


async def test_clocks_that_differ_are_said(bind: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses what was signed an hour ago."""
    now = time.time
    monkeypatch.setattr("dns.message.time.time", lambda: now() - 3600.0)

    assert await refusal(bind) == (
        "dns.server: the clocks here and on 127.0.0.1 differ by more than five minutes: let both follow NTP"
    )


async def test_a_key_without_the_right_is_said_with_the_line_that_gives_it(tmp_path: Path) -> None:
    """In BIND's words."""
    with Bind(tmp_path, policy="grant other name vpn.example.com A;") as bind:
        assert await refusal(bind) == (
            f"dns: 127.0.0.1 said REFUSED: let the key change this name, as BIND does by "
            f"`update-policy {{ grant KEY name {NAME} A AAAA; }};` in its zone"
        )


async def test_a_server_that_is_not_the_zones_primary_is_said(bind: Bind) -> None:
    """It knows no such zone."""
    assert (await refusal(bind, zone="example.net", name="vpn.example.net")).startswith(
        "dns: 127.0.0.1 said NOTAUTH: it is no primary server of example.net: name that one, or another zone"
    )


async def test_a_zone_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """As when its folder is not the server's own."""
    with Bind(tmp_path) as bind:
        bind.named.directory.chmod(0o555)

        assert "said SERVFAIL: its own log says why" in await refusal(bind)


async def test_an_alias_is_not_overwritten_but_said(tmp_path: Path) -> None:
    """The server would silently take no address beside it."""
    with (
        Bind(tmp_path, "vpn CNAME ns1") as bind,
        pytest.raises(
            PublishingError, match=r"^dns\.name: vpn\.example\.com is an alias in example\.com: delete"
        ),
    ):
        await Server(bind.place()).present()


async def test_nobody_at_the_address_is_said(bind: Bind) -> None:
    """With what was tried."""
    bind.kill()

    assert await refusal(bind) == "dns.server: 127.0.0.1 cannot be reached by TCP: Connection refused"


@pytest.mark.parametrize("algorithm", ["hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1", "hmac-md5"])
async def test_other_algorithms_are_understood(tmp_path: Path, algorithm: str) -> None:
    """As the key's file says."""
    with Bind(tmp_path, algorithm=algorithm) as bind:
        await Server(bind.place()).replace(WANTED)

        assert bind.records() == ["192.0.2.1"]
