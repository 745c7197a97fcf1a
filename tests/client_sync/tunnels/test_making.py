"""Tests of client_sync/tunnels/making.py: the commands, then the real `ip` and WireGuard in a network of its own."""

import errno
import json
import secrets
from pathlib import Path

import pytest

from client_sync.tunnels import making
from client_sync.tunnels.making import (
    Dress,
    Implementation,
    addresses,
    dress,
    fit,
    links,
    make,
    remove,
    strict_beside,
)
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.own_network import in_own_network, ip
from tests.client_sync.programs import Programs, called
from tests.lab.keys import new_key_pair
from wgfleet.wg import read_device

MARK = 958600


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """In front of the real ones; with settings of the kernel's to go with them."""
    monkeypatch.setattr(making, "SETTINGS", tmp_path)
    for where in ("all", "wg-w1"):
        (tmp_path / where).mkdir()
        (tmp_path / where / "rp_filter").write_text("0")
        (tmp_path / where / "src_valid_mark").write_text("1")
    return Programs.before_the_real(tmp_path, monkeypatch)


def test_the_kernels_wireguard_is_taken_where_there_is_one(programs: Programs, tmp_path: Path) -> None:
    """And no other program is started."""
    programs("ip", "wireguard-go")

    make("wg-w1", Implementation.AUTO)

    assert called(tmp_path) == ["ip link add dev wg-w1 type wireguard"]


def test_without_it_wireguard_go_is_taken(programs: Programs, tmp_path: Path) -> None:
    """It goes into the background by itself."""
    programs("ip", "wireguard-go", fails='"type wireguard"')

    make("wg-w1", Implementation.AUTO)

    assert called(tmp_path) == ["ip link add dev wg-w1 type wireguard", "wireguard-go wg-w1"]


@pytest.mark.parametrize(
    ("implementation", "tried"),
    [
        (Implementation.KERNEL, ["ip link add dev wg-w1 type wireguard"]),
        (Implementation.USERSPACE, ["wireguard-go wg-w1"]),
    ],
)
def test_what_is_asked_for_is_the_only_one_tried(
    programs: Programs, tmp_path: Path, implementation: Implementation, tried: list[str]
) -> None:
    """And the error says what it said, and what to do."""
    programs("ip", "wireguard-go", fails="wg-w1")

    with pytest.raises(LayoutError) as caught:
        make("wg-w1", implementation)

    assert called(tmp_path) == tried
    assert str(caught.value) == (
        f"no WireGuard interface can be made: `{tried[0]}` failed: not here: load the kernel's module "
        "(`modprobe wireguard`), or install the package wireguard-go"
    )


def test_an_interface_is_given_all_that_all_have_alike(programs: Programs, tmp_path: Path) -> None:
    """The key by the name of its file."""
    programs("ip", "wg")

    dress("wg-w1", Dress(Path("/etc/private.key"), MARK, ("10.99.1.7", "fd00::7")), 1380)

    assert called(tmp_path) == [
        "wg set wg-w1 private-key /etc/private.key fwmark 958600",
        "ip address replace 10.99.1.7 dev wg-w1",
        "ip address replace fd00::7 dev wg-w1 nodad",
        "ip link set dev wg-w1 mtu 1380 up",
    ]


@pytest.mark.parametrize(
    ("everywhere", "here", "set_to"), [("1", "0", "2"), ("0", "1", "2"), ("2", "1", "1"), ("0", "0", "0")]
)
def test_a_strict_rp_filter_is_loosened_on_our_interface_alone(
    programs: Programs, tmp_path: Path, everywhere: str, here: str, set_to: str
) -> None:
    """The kernel goes by the higher of the two."""
    programs("ip", "wg")
    (tmp_path / "all" / "rp_filter").write_text(everywhere)
    (tmp_path / "wg-w1" / "rp_filter").write_text(here)
    (tmp_path / "all" / "src_valid_mark").write_text("0")

    dress("wg-w1", Dress(Path("key"), MARK, ()), None)

    assert (tmp_path / "wg-w1" / "rp_filter").read_text() == set_to
    assert (tmp_path / "all" / "rp_filter").read_text() == everywhere
    assert (tmp_path / "all" / "src_valid_mark").read_text() == "1"


def test_a_setting_that_cannot_be_written_is_said_with_the_ways_out(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a service manager that protects the kernel's settings."""
    programs("ip", "wg")
    (tmp_path / "all" / "src_valid_mark").write_text("0")

    def refuse(_path: Path, _text: str) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(LayoutError) as caught:
        dress("wg-w1", Dress(Path("key"), MARK, ()), None)

    assert str(caught.value) == (
        "net.ipv4.conf.all.src_valid_mark cannot be set (Read-only file system): packets that come out of a tunnel "
        "would be dropped: `sysctl -w net.ipv4.conf.all.src_valid_mark=1`, or let the service write it "
        "(ProtectKernelTunables=no)"
    )


@pytest.mark.parametrize(
    ("everywhere", "beside", "here", "is_strict"),
    [("1", "0", "0", True), ("0", "1", "0", True), ("2", "1", "0", False), ("0", "0", "1", False)],
)
def test_whether_the_kernel_is_strict_elsewhere(
    tmp_path: Path, programs: Programs, *, everywhere: str, beside: str, here: str, is_strict: bool
) -> None:
    """The higher of the two settings counts; our own interface is loosened anyway."""
    del programs
    (tmp_path / "eth0").mkdir()
    for where, value in (("all", everywhere), ("eth0", beside), ("wg-w1", here)):
        (tmp_path / where / "rp_filter").write_text(value)

    assert strict_beside("wg-w1") is is_strict


# With the real ones.


@pytest.mark.system
def test_a_real_interface_is_made_dressed_and_removed(tmp_path: Path) -> None:
    """By whichever WireGuard this machine has; with key, mark, addresses, and no prefix route of its own."""
    keys, name = new_key_pair(), f"wgt-{secrets.token_hex(4)}"
    (tmp_path / "key").write_text(f"{keys.private}\n")

    def part() -> tuple[object, ...]:
        make(name, Implementation.AUTO)
        try:
            dress(name, Dress(tmp_path / "key", MARK, ("10.99.1.7", "fd00::7")), 1380)
            device = read_device(name)
            routes = ip(f"-4 route show dev {name}")
            fit(name, 1360)
            fit(name, 1360)
            shown = json.loads(ip(f"-json address show dev {name}"))[0]
            has = {address for address in addresses(name) if not address.startswith("fe80:")}
            there = links().get(name)
        finally:
            remove(name)
        return (
            device.public_key,
            device.firewall_mark,
            has,
            shown["mtu"],
            routes,
            there,
            name in links(),
        )

    assert in_own_network(part) == (keys.public, MARK, {"10.99.1.7/32", "fd00::7/128"}, 1360, "", True, False)
