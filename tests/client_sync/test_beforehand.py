"""Tests of client_sync/beforehand.py: what is barred while no peer set was applied, and what passes so that one can come."""

from dataclasses import replace
from pathlib import Path

import pytest

from client_sync.addresses import BOOK, AddressBook
from client_sync.barring import Barred
from client_sync.beforehand import barred_beforehand
from client_sync.brokers import Broker
from client_sync.cache import Documents
from client_sync.config import Config
from tests.client_sync.device import peer
from tests.client_sync.samples import ALL, FLEET, peer_set, public_key, signed, worker
from wgfleet.device import Device
from wgfleet.signing import Signer, Verifier
from wgfleet.wg import WgError

SIGNER = Signer.generate()
EVERYTHING = ("0.0.0.0/0", "::/0")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of a client whose interface the daemon makes; its receiver has been spoken to."""
    AddressBook(tmp_path / BOOK).remember("mon.example.com", ["192.0.2.9"])
    return Config(
        fleet=FLEET,
        name="laptop-9",
        interface="wg0",
        receivers=("https://mon.example.com:9587",),
        trusted_keys=(SIGNER.public_text,),
        state_directory=tmp_path,
        private_key_file=tmp_path / "wg0.key",
        addresses=("10.99.1.7",),
        firewall_mark=958600,
        kill_switch=True,
    )


def not_there(_name: str) -> Device:
    """Stands for an interface that nobody has brought up yet."""
    raise WgError("No such device")


def others(config: Config) -> Config:
    """The same on an interface that others make."""
    return replace(config, private_key_file=None, addresses=())


def keep(config: Config, *numbers: int) -> None:
    """What an earlier run kept."""
    documents = Documents(config.state_directory, Verifier([SIGNER.public_text]), FLEET)
    documents.take(signed(SIGNER, peer_set(*(worker(number) for number in numbers))))
    documents.keep()


def test_where_nothing_is_known_everything_is_barred_but_what_has_the_mark(config: Config) -> None:
    """The control connection has it, and what enrolment spoke to is remembered."""
    assert barred_beforehand(config, read=not_there) == Barred(EVERYTHING, 958600, known=False)


def test_the_configuration_may_say_what_is_routed(config: Config) -> None:
    """A fleet that carries some networks only need not cut a machine off."""
    said = replace(config, kill_switch_first=("10.0.0.0/8",))

    assert barred_beforehand(said).prefixes == ("10.0.0.0/8",)


def test_a_peer_set_that_is_kept_says_it_better(config: Config) -> None:
    """The switch was turned on only now, or what it kept is lost."""
    keep(config, 1)

    assert barred_beforehand(config) == Barred((ALL, *worker(1).tunnel_addresses), 958600)


def test_one_without_workers_says_nothing(config: Config) -> None:
    """A fleet that is being made."""
    keep(config)

    assert not barred_beforehand(config).known


def test_an_interface_of_others_has_its_own_mark(config: Config) -> None:
    """As wg-quick gave it, after the first packet: so the ends that it has pass, too."""
    there = Device("wg0", "own", 51820, 51820, (peer(public_key(1), ALL, endpoint="192.0.2.1:51820"),))

    assert barred_beforehand(others(config), read=lambda _name: there) == Barred(
        EVERYTHING, 51820, ("192.0.2.1:51820",), known=False
    )


def test_without_a_mark_the_ends_of_the_tunnel_and_roots_way_to_the_receivers_pass(config: Config) -> None:
    """Or nothing would ever be heard."""
    there = Device("wg0", "own", 51820, None, (peer(public_key(1), ALL, endpoint="192.0.2.1:51820"),))
    broker = Broker("mqtts://192.0.2.9")
    said = replace(
        others(config), receivers=("https://mon.example.com", "http://mon.example.com:9587"), mqtt=broker
    )

    assert barred_beforehand(said, read=lambda _name: there) == Barred(
        EVERYTHING, None, ("192.0.2.1:51820",), known=False, ports=(443, 8883, 9587)
    )
    assert barred_beforehand(others(config), read=not_there).ports == (9587,)


def test_a_name_that_nothing_is_remembered_of_may_be_looked_up(config: Config) -> None:
    """Of the proxy, where there is one: the receivers are its business then."""
    new = replace(config, receivers=("https://other.example.com:9587",))

    assert barred_beforehand(new).asks
    assert not barred_beforehand(replace(new, proxy="http://192.0.2.7:3128")).asks
    assert barred_beforehand(replace(config, proxy="http://proxy.example.com:3128")).asks
