"""Tests of exporter/proc.py, on what /proc said of a real machine (scrapes/capture_proc.sh)."""

import shutil
import sys
from pathlib import Path

import pytest

from exporter.load import Conntrack, Cpus, Memory, Softnet, Uplink
from exporter.proc import Proc, ProcError, default_devices, read_link_speed
from tests.exporter.pages import SCRAPES
from tests.lab.host import Host
from tests.lab.launch import Launcher


def read(
    root: Path = SCRAPES / "proc", *, uplink: str | None = None, uplink_speed: float | None = None
) -> Proc:
    """A /proc whose devices do not say their speed."""
    return Proc(
        root, uplink=uplink, uplink_speed=uplink_speed, link_speed=lambda _: None, ticks_per_second=100
    )


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc that a test may change."""
    return shutil.copytree(SCRAPES / "proc", tmp_path / "proc")


def test_the_cpus_are_read_in_seconds() -> None:
    """All together and each, without the guests' time, which is in user and nice already."""
    modes = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    expected = [
        (12312.58, 0.0, 1638.97, 10749.93, 124.57, 0.0, 73.85, 21.84),
        (5789.27, 0.0, 768.53, 5817.73, 46.08, 0.0, 17.17, 10.47),
        (6523.31, 0.0, 870.43, 4932.2, 78.49, 0.0, 56.68, 11.37),
    ]
    whole, cpu0, cpu1 = (dict(zip(modes, seconds, strict=True)) for seconds in expected)

    assert read().cpus() == Cpus(whole, {"cpu0": cpu0, "cpu1": cpu1})


def test_the_other_parts_are_read() -> None:
    """IPv4's and IPv6's lost packets are one number."""
    assert read().softnet() == {0: Softnet(0x1B571D, 0, 0), 1: Softnet(0x193DEC, 0, 2)}
    assert read().conntrack() == Conntrack(2, 262144)
    assert read().udp_buffer_errors() == 37 + 17
    assert read().memory() == Memory(available=23939432 * 1024, total=24684084 * 1024)
    assert read().forwarding() == {"ipv4": True, "ipv6": True}


def test_the_uplink_is_the_default_routes_device() -> None:
    """That of the lowest metric."""
    assert read().uplink() == Uplink("eth0", 306, 370, None)


def test_an_uplink_that_was_named_is_taken_with_its_speed() -> None:
    """Whatever the routes and the device say."""
    assert read(uplink="eth1", uplink_speed=5e6).uplink() == Uplink("eth1", 220, 370, 5e6)


def test_an_uplink_that_was_named_and_is_not_there_is_a_failure() -> None:
    """The text says where it was looked for."""
    with pytest.raises(ProcError, match=r"/net/dev: no device 'eth7'; the uplink must be one that is there$"):
        read(uplink="eth7").uplink()


def test_a_machine_with_ipv6_only_has_an_uplink(proc: Path) -> None:
    """By IPv6's default route; the one to nowhere is none."""
    (proc / "net/route").write_text("Iface\tDestination\tGateway\n")

    assert read(proc).uplink() == Uplink("eth0", 306, 370, None)


def test_of_ipv6s_default_routes_the_lowest_metric_counts_too() -> None:
    """It is written in hexadecimal; and only a route to everywhere is one."""
    row = "{:032x} {} {:032x} 00 {:032x} {} 00000001 00000000 00000003 {}\n"
    table = (
        row.format(0, "00", 0, 1, "00000100", "eth0")
        + row.format(0, "00", 0, 1, "00000064", "eth1")
        + row.format(0, "08", 0, 1, "00000001", "eth2")
    )

    assert default_devices("", table) == ["eth1", "eth0"]


def test_a_machine_without_a_default_route_has_no_uplink(proc: Path) -> None:
    """Which is no failure."""
    (proc / "net/route").unlink()
    (proc / "net/ipv6_route").unlink()

    assert read(proc).uplink() is None


def test_a_default_route_that_rejects_or_is_down_leads_nowhere() -> None:
    """Nor does a route to a part of the world."""
    row = "{}\t{}\t00000000\t{}\t0\t0\t0\t{}\t0\t0\t0\n"
    table = (
        row.format("down0", "00000000", "0002", "00000000")
        + row.format("reject0", "00000000", "0201", "00000000")
        + row.format("half0", "00000000", "0003", "00000080")
        + row.format("good0", "00000000", "0003", "00000000")
    )

    assert default_devices(table, "") == ["good0"]


def test_connection_tracking_that_is_not_loaded_is_none(proc: Path) -> None:
    """Which is no failure."""
    shutil.rmtree(proc / "sys/net/netfilter")

    assert read(proc).conntrack() is None


def test_a_kernel_without_ipv6_is_read(proc: Path) -> None:
    """There are no files of its."""
    (proc / "net/snmp6").unlink()
    shutil.rmtree(proc / "sys/net/ipv6")

    assert read(proc).udp_buffer_errors() == 37
    assert read(proc).forwarding() == {"ipv4": True}


def test_an_old_kernel_does_not_say_which_cpu_a_softnet_line_is_of(proc: Path) -> None:
    """So its place does."""
    (proc / "net/softnet_stat").write_text("0000000a 00000001 00000002 0 0 0 0 0 0 0 0\n0000000b 0 0\n")

    assert read(proc).softnet() == {0: Softnet(10, 1, 2), 1: Softnet(11, 0, 0)}


def test_a_softnet_line_is_of_the_cpu_it_names(proc: Path) -> None:
    """One that is offline has no line."""
    file = proc / "net/softnet_stat"
    file.write_text(file.read_text().splitlines(keepends=True)[1])

    assert read(proc).softnet() == {1: Softnet(0x193DEC, 0, 2)}


@pytest.mark.parametrize(
    ("file", "text", "part", "said"),
    [
        ("stat", "cpu0 1 2 3 4 5 6 7 8\n", "cpus", "no line of all CPUs, `cpu`"),
        ("stat", "cpu 1 2 3 4 5 6 7\n", "cpus", "7 columns of a CPU, fewer than 8"),
        ("net/snmp", "Tcp: A\nTcp: 1\n", "udp_buffer_errors", "no RcvbufErrors of Udp"),
        ("net/snmp", "Udp: InDatagrams\nUdp: 1\n", "udp_buffer_errors", "no RcvbufErrors of Udp"),
        ("meminfo", "MemTotal: 7 kB\n", "memory", "no MemAvailable:"),
    ],
)
def test_what_the_kernel_does_not_say_is_a_failure(
    proc: Path, file: str, text: str, part: str, said: str
) -> None:
    """And not 0; the text names the file."""
    (proc / file).write_text(text)

    with pytest.raises(ProcError) as failure:
        getattr(read(proc), part)()
    assert str(failure.value) == f"{proc / file}: {said}"


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("cpus", "stat"),
        ("softnet", "net/softnet_stat"),
        ("uplink", "net/dev"),
        ("udp_buffer_errors", "net/snmp"),
        ("memory", "meminfo"),
    ],
)
def test_a_file_that_is_not_there_is_a_failure(proc: Path, part: str, file: str) -> None:
    """That of the file."""
    (proc / file).unlink()

    with pytest.raises(FileNotFoundError, match=file):
        getattr(read(proc), part)()


def test_a_device_that_has_no_speed_does_not_say_one() -> None:
    """Nor one that is not there."""
    assert read_link_speed("lo") is None
    assert read_link_speed("no-such-device") is None


@pytest.mark.system
def test_the_speed_is_that_of_the_device_in_our_own_network_namespace() -> None:
    """A veth says 10 Gbit/s, a bridge without ports says that it does not know."""
    with Launcher() as launcher:
        host = Host(launcher, "worker", "")
        host.wait()
        host.ip("link add up0 type veth peer name far0", "link set up0 up", "link set far0 up")
        host.ip("link add bridge0 type bridge")
        ask = "from exporter.proc import read_link_speed as r; print(r('up0'), r('bridge0'))"

        assert host.run(sys.executable, "-c", ask).split() == ["1250000000.0", "None"]
