"""Tests of failover_receiver/publishing/dns/publisher.py: what a name has in a real BIND, as the peer set changes."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from failover_receiver.publishing import PublishingError
from failover_receiver.publishing.dns import keyfile
from failover_receiver.publishing.dns import publisher as module
from failover_receiver.publishing.dns.publisher import DnsPublisher
from failover_receiver.publishing.dns.records import Addresses
from failover_receiver.settings import ConfigurationError
from tests.client_sync.samples import peer_set, worker
from tests.failover_receiver.parts import facts
from tests.failover_receiver.publishing.dns.server import OTHER_SECRET, Bind
from tests.failover_receiver.publishing.recording import document
from tests.lab.named import NAME, ZONE
from wgfleet.peerset import PublishedWorker, WorkerState

pytestmark = pytest.mark.anyio

SERVING, SUSPECT, JOINING, DRAINING, DOWN, BANNED = (
    WorkerState.SERVING,
    WorkerState.SUSPECT,
    WorkerState.JOINING,
    WorkerState.DRAINING,
    WorkerState.DOWN,
    WorkerState.BANNED,
)
ONE, TWO = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[Bind]:
    """With an empty name."""
    with Bind(tmp_path) as bind:
        yield bind


async def publish(publisher: DnsPublisher, *states: WorkerState, **said: Any) -> None:
    """A peer set with workers of these states: 192.0.2.1, 192.0.2.2, ..."""
    await publish_workers(publisher, *(worker(n, state, **said) for n, state in enumerate(states, 1)))


async def publish_workers(publisher: DnsPublisher, *workers: PublishedWorker) -> None:
    """A peer set with these."""
    await publisher.publish(document(1), peer_set(*workers))


def by_hand(bind: Bind, *changes: tuple[str, ...]) -> None:
    """Somebody else, who has the key too, changes the name."""
    update = dns.update.UpdateMessage(ZONE)
    update.use_tsig(keyfile.read(bind.key_file.read_text()))
    for change in changes:
        if change[0] == "delete":
            update.delete(f"{NAME}.", *change[1:])
        else:
            update.add(f"{NAME}.", 300, *change[1:])
    answer = dns.query.tcp(update, "127.0.0.1", timeout=5.0, port=bind.named.port)
    assert answer.rcode() == dns.rcode.NOERROR


async def test_the_name_leads_to_what_serves(bind: Bind) -> None:
    """Both families, each address once, with the lifetime that was said."""
    both = ("192.0.2.1:51820", "[2001:db8::1]:51820", "192.0.2.1:51821")
    publisher = DnsPublisher(bind.place())

    await publish_workers(
        publisher, worker(1, endpoints=both), worker(2), worker(3, DOWN), worker(4, JOINING)
    )

    assert (bind.records(), bind.records("AAAA")) == ([ONE, TWO], ["2001:db8::1"])
    assert bind.ttl() == 20


@pytest.mark.parametrize("state", [DOWN, DRAINING, BANNED, SUSPECT, JOINING])
async def test_a_worker_that_serves_no_more_leaves_the_name(bind: Bind, state: WorkerState) -> None:
    """While another serves."""
    publisher = DnsPublisher(bind.place())
    await publish(publisher, SERVING, SERVING)

    await publish(publisher, state, SERVING)

    assert bind.records() == [TWO]


async def test_when_all_are_in_doubt_the_suspect_ones_stay(bind: Bind) -> None:
    """Monitoring itself is doubted then."""
    publisher = DnsPublisher(bind.place())
    await publish(publisher, SERVING, SERVING, SERVING)

    await publish(publisher, SUSPECT, SUSPECT, DOWN)

    assert bind.records() == [ONE, TWO]


async def test_when_all_are_gone_the_last_ones_stay(bind: Bind) -> None:
    """The name is never empty; nor does a receiver that was started again empty it, or lead it to others."""
    publisher = DnsPublisher(bind.place())
    await publish(publisher, JOINING, SERVING)

    await publish(publisher, DOWN, DOWN)
    await publish(publisher, DRAINING, DRAINING)
    await publish(DnsPublisher(bind.place()), JOINING, DRAINING)

    assert bind.records() == [TWO]


async def test_a_banned_worker_leaves_even_when_none_serves(bind: Bind) -> None:
    """As long as that leaves another."""
    publisher = DnsPublisher(bind.place())
    await publish(publisher, SERVING, SERVING)

    await publish(publisher, DRAINING, BANNED)

    assert bind.records() == [ONE]


async def test_a_name_is_not_emptied_though_all_are_banned(
    bind: Bind, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor by an empty fleet; it is said, once."""
    caplog.set_level(logging.WARNING)
    publisher = DnsPublisher(bind.place())
    await publish(publisher, SERVING)

    await publish(publisher, BANNED)
    await publish(publisher, BANNED)
    await publish(publisher)

    assert bind.records() == [ONE]
    (said,) = facts(caplog.records, "name left as it is")
    assert said["workers"] == "w1=banned"


async def test_a_fleet_that_begins_makes_no_name_yet(bind: Bind) -> None:
    """Nobody was proven."""
    await publish(DnsPublisher(bind.place()), JOINING, JOINING)

    assert bind.records() == []


async def test_what_is_right_already_is_no_update(bind: Bind) -> None:
    """A document that is issued anew costs secondaries no transfer."""
    await publish(DnsPublisher(bind.place()), SERVING)
    before = bind.serial()

    await publish(DnsPublisher(bind.place()), SERVING)

    assert bind.serial() == before


async def test_another_lifetime_is_an_update(bind: Bind) -> None:
    """An operator changed it."""
    await publish(DnsPublisher(bind.place()), SERVING)

    await publish(DnsPublisher(bind.place(ttl=10)), SERVING)

    assert bind.ttl() == 10


async def test_only_the_workers_that_are_said_count(bind: Bind) -> None:
    """Those that share an identity; the others serve, and are no use to such a device."""
    publisher = DnsPublisher(bind.place(workers=("w2", "w3")))

    await publish(publisher, SERVING, SERVING, DOWN)
    first = bind.records()
    await publish(publisher, SERVING, DOWN, DOWN)

    assert (first, bind.records()) == ([TWO], [TWO])


async def test_endpoints_names_are_looked_up(bind: Bind) -> None:
    """A look-up that fails later changes nothing; one that never succeeded gives no address; its own name is none."""
    known: dict[str, Addresses] = {"a.example.net": frozenset({"192.0.2.7", "2001:db8::7"})}
    asked: list[str] = []

    async def resolve(host: str) -> Addresses:
        asked.append(host)
        await asyncio.sleep(0)
        if host not in known:
            raise OSError("no such name")
        return known[host]

    publisher = DnsPublisher(bind.place(), resolve=resolve)
    workers = [
        worker(n, endpoints=(f"{host}:51820",))
        for n, host in enumerate(("a.example.net", "b.example.net", NAME.upper()), 1)
    ]

    await publish_workers(publisher, *workers)
    first = (bind.records(), bind.records("AAAA"))
    known.clear()
    await publish_workers(publisher, *workers)

    assert first == (["192.0.2.7"], ["2001:db8::7"])
    assert (bind.records(), bind.records("AAAA")) == first
    assert set(asked) == {"a.example.net", "b.example.net"}


@pytest.mark.parametrize(
    "changes",
    [
        [("add", "A", "198.51.100.66")],
        [("delete", "A")],
        [("delete", "A"), ("add", "A", "198.51.100.66")],
        [("add", "AAAA", "2001:db8::66")],
    ],
)
async def test_records_that_somebody_changed_are_put_right(
    bind: Bind, changes: list[tuple[str, ...]]
) -> None:
    """At the next look."""
    publisher = DnsPublisher(bind.place(look_interval=0.01))
    await publish(publisher, SERVING, SERVING)
    by_hand(bind, *changes)

    async with asyncio.timeout(10.0):
        await publisher.lost()
    await publish(publisher, SERVING, SERVING)

    assert (bind.records(), bind.records("AAAA")) == ([ONE, TWO], [])


async def test_looking_can_be_cancelled_at_any_moment(bind: Bind) -> None:
    """The receiver stops by it, and an attempt that takes too long ends by it."""
    publisher = DnsPublisher(bind.place(look_interval=0.001))
    await publish(publisher, SERVING)

    for tenths in range(30):
        looking = asyncio.create_task(publisher.lost())
        await asyncio.wait([looking], timeout=0.01 + tenths / 1000)
        looking.cancel()
        done, _ = await asyncio.wait([looking], timeout=10.0)
        assert done
        assert looking.cancelled()


async def test_while_the_records_are_right_nothing_is_lost(bind: Bind) -> None:
    """However often they are looked at."""
    publisher = DnsPublisher(bind.place(look_interval=0.01))
    await publish(publisher, SERVING)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await publisher.lost()
            pytest.fail("it was taken for lost")


async def test_a_server_that_restarts_is_followed(bind: Bind) -> None:
    """While it is away, what to look at is said; a change of that time is made when it is back; what it had, it has."""
    publisher = DnsPublisher(bind.place(look_interval=0.01))
    await publish(publisher, SERVING, SERVING)
    bind.kill()

    async with asyncio.timeout(10.0):
        await publisher.lost()
    with pytest.raises(PublishingError, match=r"^dns\.server: 127\.0\.0\.1:\d+ cannot be reached by TCP: "):
        await publish(publisher, DOWN, SERVING)
    bind.start()
    before = bind.records()
    await publish(publisher, DOWN, SERVING)

    assert (before, bind.records()) == ([ONE, TWO], [TWO])


async def test_a_key_that_is_renewed_counts_at_once(bind: Bind) -> None:
    """Its file is read for each update; with the wrong secret nothing is changed, and it is quoted nowhere."""
    publisher = DnsPublisher(bind.place())
    await publish(publisher, SERVING)
    right = bind.key_file.read_text()
    bind.key_file.write_text(bind.with_secret(OTHER_SECRET))

    with pytest.raises(PublishingError, match="has another secret for the key") as refused:
        await publish(publisher, DOWN, SERVING)
    before = bind.records()
    bind.key_file.write_text(right)
    await publish(publisher, DOWN, SERVING)

    assert (before, bind.records()) == ([ONE], [TWO])
    assert OTHER_SECRET not in str(refused.value)


async def test_a_key_file_that_is_not_there_is_said_at_the_start(bind: Bind) -> None:
    """And not at the first failover."""
    bind.key_file.unlink()

    with pytest.raises(ConfigurationError, match=r"^dns\.key_file: .*wgfleet\.key is not there"):
        DnsPublisher(bind.place())


async def test_a_resolver_that_says_nothing_keeps_no_dead_worker_in_the_name(
    bind: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for, and asked once for each name: whoever hangs takes no more threads each time."""
    monkeypatch.setattr(module, "LOOK_UP_SECONDS", 0.01)
    asked: list[str] = []
    answers = asyncio.Event()

    async def resolve(host: str) -> Addresses:
        asked.append(host)
        await answers.wait()
        return frozenset({"192.0.2.7"})

    publisher = DnsPublisher(bind.place(), resolve=resolve)
    named = worker(3, endpoints=("a.example.net:51820",))

    await publish_workers(publisher, worker(1), worker(2), named)
    await publish_workers(publisher, worker(1, DOWN), worker(2), named)
    before, times = bind.records(), len(asked)
    answers.set()
    await asyncio.gather(*publisher._asked.values())
    await publish_workers(publisher, worker(1, DOWN), worker(2), named)
    await publisher.close()

    assert (before, times) == ([TWO], 1)
    assert bind.records() == [TWO, "192.0.2.7"]
