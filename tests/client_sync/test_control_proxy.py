"""Tests of client_sync/control.py through a real HTTP proxy on loopback."""

import asyncio
from pathlib import Path

import httpx
import pytest

from client_sync.addresses import AddressBook, lookup
from client_sync.control import Proxy
from tests.client_sync.certificates import Authority
from tests.client_sync.marked import HOST, answering, client
from tests.client_sync.own_network import in_own_network, ip
from tests.client_sync.proxy import RealProxy
from tests.client_sync.receiver import FakeReceiver

PROXY = "proxy.example.com"
BEARER = {"Authorization": "Bearer secret"}


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """The authority that is pinned."""
    return Authority(tmp_path, "ours")


def test_an_https_receiver_is_reached_through_the_proxy_which_sees_its_name_alone(
    book: AddressBook, ours: Authority
) -> None:
    """Its certificate is checked by its own name, which only the proxy has to resolve."""
    book.remember(PROXY, ["127.0.0.1"])

    async def story() -> None:
        async with (
            FakeReceiver(answering, tls=ours.server(HOST)) as receiver,
            RealProxy(resolves={HOST: "127.0.0.1"}) as proxy,
            client(book, tls=ours.trusting(), proxy=Proxy(f"http://{PROXY}:{proxy.port}")) as http,
        ):
            got = await http.get(f"https://{HOST}:{receiver.port}/v1/peer-set", headers=BEARER)
            assert got.text == "yes"
            assert [head.splitlines()[0] for head in proxy.heads] == [
                f"CONNECT {HOST}:{receiver.port} HTTP/1.1"
            ]
            assert "secret" not in "".join(proxy.heads)
            assert receiver.requests[0].headers["authorization"] == "Bearer secret"

    asyncio.run(story())


def test_an_http_receiver_is_reached_through_the_proxy(book: AddressBook) -> None:
    """Which is asked for the whole URL."""

    async def story() -> None:
        async with (
            FakeReceiver(answering) as receiver,
            RealProxy() as proxy,
            client(book, proxy=Proxy(f"http://127.0.0.1:{proxy.port}")) as http,
        ):
            assert (await http.get(f"{receiver.url}/v1/peer-set")).text == "yes"
            assert proxy.heads[0].splitlines()[0] == f"GET {receiver.url}/v1/peer-set HTTP/1.1"

    asyncio.run(story())


def test_the_proxys_name_is_looked_up_and_what_was_found_is_remembered(book: AddressBook) -> None:
    """As a receiver's is; the receiver's own is not looked up."""
    asked = []

    def found(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    async def story() -> int:
        async with (
            FakeReceiver(answering) as receiver,
            RealProxy(resolves={HOST: "127.0.0.1"}) as proxy,
            client(book, lookup=found, proxy=Proxy(f"http://{PROXY}:{proxy.port}")) as http,
        ):
            await http.get(f"http://{HOST}:{receiver.port}/")
            return proxy.port

    port = asyncio.run(story())
    assert asked == [(PROXY, port)]
    assert book.remembered(PROXY) == ["127.0.0.1"]


def test_the_proxy_alone_is_told_its_credentials(book: AddressBook, ours: Authority) -> None:
    """Nothing of them reaches the receiver, and a colon may be in the password."""
    book.remember(HOST, ["127.0.0.1"])

    async def story() -> None:
        async with (
            FakeReceiver(answering, tls=ours.server(HOST)) as receiver,
            RealProxy(resolves={HOST: "127.0.0.1"}) as proxy,
            client(
                book, tls=ours.trusting(), proxy=Proxy(f"http://127.0.0.1:{proxy.port}", "ann:a:b")
            ) as http,
        ):
            await http.get(f"https://{HOST}:{receiver.port}/")
            assert "Proxy-Authorization: Basic YW5uOmE6Yg==" in proxy.heads[0]
            assert "proxy-authorization" not in receiver.requests[0].headers

    asyncio.run(story())


def test_a_proxys_credentials_are_not_shown() -> None:
    """A value is soon in a log."""
    assert "secret" not in repr(Proxy("http://127.0.0.1:3128", "ann:secret"))


def test_the_proxy_itself_may_be_reached_by_tls(book: AddressBook, ours: Authority) -> None:
    """One inside the other."""
    book.remember(PROXY, ["127.0.0.1"])

    async def story() -> str:
        async with (
            FakeReceiver(answering, tls=ours.server(HOST)) as receiver,
            RealProxy(tls=ours.server(PROXY), resolves={HOST: "127.0.0.1"}) as proxy,
            client(book, tls=ours.trusting(), proxy=Proxy(f"https://{PROXY}:{proxy.port}")) as http,
        ):
            return (await http.get(f"https://{HOST}:{receiver.port}/")).text

    assert asyncio.run(story()) == "yes"


def test_a_proxy_that_refuses_is_an_http_error(book: AddressBook) -> None:
    """With what it answered."""

    async def story() -> None:
        async with (
            RealProxy(refuses=True) as proxy,
            client(book, proxy=Proxy(f"http://127.0.0.1:{proxy.port}")) as http,
        ):
            with pytest.raises(httpx.ProxyError, match=r"^403 Forbidden$"):
                await http.get(f"https://{HOST}:9587/")

    asyncio.run(story())


@pytest.mark.system
def test_the_connection_to_the_proxy_carries_the_mark(book: AddressBook, ours: Authority) -> None:
    """In a network where only packets with the mark reach the proxy."""
    mark, port = 51820, 3128
    book.remember(HOST, ["127.0.0.1"])

    async def ask(marked: int | None) -> str:
        async with client(
            book,
            lookup=lookup,
            mark=lambda: marked,
            tls=ours.trusting(),
            proxy=Proxy(f"http://127.0.0.1:{port}"),
        ) as http:
            try:
                return (await http.get(f"https://{HOST}:9587/")).text
            except httpx.ConnectError as error:
                return str(error)

    async def story() -> list[str]:
        async with (
            FakeReceiver(answering, port=9587, tls=ours.server(HOST)),
            RealProxy(port=port, resolves={HOST: "127.0.0.1"}),
        ):
            return [await ask(mark), await ask(None)]

    def part() -> list[str]:
        ip("rule add pref 10 table local")
        ip("rule del pref 0")
        ip(f"rule add pref 4 fwmark {mark} table local")
        ip(f"rule add pref 5 ipproto 6 dport {port} prohibit")
        return asyncio.run(story())

    assert in_own_network(part) == ["yes", f"127.0.0.1:{port}: [Errno 13] Permission denied"]
