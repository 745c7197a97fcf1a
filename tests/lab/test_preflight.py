"""Every reason at once, each with what to do."""

import pytest

from tests.lab import programs
from tests.lab.preflight import Found, LabImpossibleError, faults, look, require

FINE = Found(root=True, missing=(), tun="", namespaces="", nat="")


def test_a_machine_that_can_carry_the_lab() -> None:
    assert faults(FINE) == []
    assert faults(Found(root=True, missing=(), tun=None, namespaces="", nat="")) == []


def test_all_faults_are_said_at_once() -> None:
    found = Found(
        root=False,
        missing=("nft", "prometheus"),
        tun="No such file or directory",
        namespaces="unshare failed: Operation not permitted",
        nat="Operation not supported",
    )
    assert "\n".join(faults(found)) == (
        "it makes network namespaces and interfaces, which only root may: run it with sudo\n"
        "there is no program `nft`: install the package nftables (apt-get install nftables)\n"
        "there is no program `prometheus`: run tools/parts.sh, which unpacks Debian's package into .parts and "
        "installs nothing\n"
        "the kernel has no WireGuard, and wireguard-go cannot open /dev/net/tun (No such file or directory): "
        "`modprobe wireguard` or `modprobe tun`, or give the container --device /dev/net/tun\n"
        "no network and mount namespaces can be made (unshare failed: Operation not permitted): "
        "in a container, run it --privileged; else the kernel needs CONFIG_NET_NS\n"
        "nftables cannot masquerade (Operation not supported): "
        "`modprobe nf_tables nft_masq nft_chain_nat`, or a kernel with CONFIG_NFT_MASQ"
    )


def test_who_is_not_root_hears_it_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(programs, "search_path", lambda: "/nowhere")
    with pytest.raises(LabImpossibleError) as caught:
        require(["wg", "amtool"])
    text = str(caught.value)
    assert text.startswith("the lab cannot run here:\n- it makes network namespaces")
    assert "`wg`" in text
    assert "`amtool`" in text


@pytest.mark.system
def test_here_it_can_run_and_a_program_that_is_missing_is_named() -> None:
    assert look() in (FINE, Found(root=True, missing=(), tun=None, namespaces="", nat=""))
    assert look(["no-such-program"]).missing == ("no-such-program",)
