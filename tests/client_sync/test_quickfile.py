"""Tests of client_sync/quickfile.py: whole files, before and after."""

import pytest

from client_sync.quickfile import QuickFileError, edited, keys
from wgfleet.diff import WantedPeer

ONE, TWO, FRIEND = ("1" * 42 + "A=", "2" * 42 + "A=", "F" * 42 + "A=")
HAND = f"""\
# Made by hand.
[Interface]
PrivateKey = secret
Address = 10.99.1.1/16   # mine
PostUp = nft -f /etc/mine.nft; echo [Peer]
PostDown = nft delete table inet mine

# fra1
[Peer]
publickey={ONE}
AllowedIPs = 0.0.0.0/0
AllowedIPs = ::/0
Endpoint = fra1.example.com:51820
PresharedKey = also secret

# A friend's.
[Peer]
PublicKey = {FRIEND}
AllowedIPs = 10.99.9.9/32
"""


def wanted(
    key: str, *allowed_ips: str, endpoint: str | None = None, keepalive: int | None = 25
) -> WantedPeer:
    """A worker's peer."""
    return WantedPeer(key, endpoint, allowed_ips, keepalive)


def test_a_move_is_written_and_everything_of_others_stays_byte_for_byte() -> None:
    """The old worker gives its networks up, and keeps its endpoint and what we do not know of."""
    after = edited(
        HAND,
        [wanted(ONE, "10.99.0.1/32"), wanted(TWO, "10.99.0.2/32", "0.0.0.0/0", endpoint="192.0.2.2:51820")],
        (),
    )

    assert after == (
        HAND.replace(
            "AllowedIPs = 0.0.0.0/0\nAllowedIPs = ::/0\nEndpoint = fra1.example.com:51820\nPresharedKey = also secret\n",
            "PresharedKey = also secret\nAllowedIPs = 10.99.0.1/32\nEndpoint = fra1.example.com:51820\n"
            "PersistentKeepalive = 25\n",
        )
        + f"\n[Peer]\nPublicKey = {TWO}\nAllowedIPs = 10.99.0.2/32, 0.0.0.0/0\nEndpoint = 192.0.2.2:51820\n"
        "PersistentKeepalive = 25\n"
    )
    assert keys(after) == {ONE, TWO, FRIEND}


def test_what_is_as_it_should_be_is_not_changed() -> None:
    """Or it would be restarted for nothing."""
    peers = [
        wanted(ONE, "10.99.0.1/32"),
        wanted(TWO, "10.99.0.2/32", endpoint="192.0.2.2:51820", keepalive=None),
    ]
    once = edited(HAND, peers, ())

    assert edited(once, peers, (ONE, TWO)) == once


def test_only_a_peer_that_is_ours_goes_and_takes_no_comment_of_another_along() -> None:
    """The friend's comment stands behind its block."""
    after = edited(HAND, [], {ONE})

    assert keys(after) == {FRIEND}
    assert "secret\n\n# A friend's.\n[Peer]" not in after
    assert after.endswith(f"\n# A friend's.\n[Peer]\nPublicKey = {FRIEND}\nAllowedIPs = 10.99.9.9/32\n")
    assert edited(HAND, [], ()) == HAND


def test_a_file_without_an_end_of_its_last_line_gets_one() -> None:
    """Or two settings would be one."""
    text = f"[Interface]\nPrivateKey = x\n[Peer]\nPublicKey = {ONE}"

    assert edited(text, [wanted(ONE, "10.0.0.1/32", keepalive=None), wanted(TWO, keepalive=None)], ()) == (
        f"{text}\nAllowedIPs = 10.0.0.1/32\n\n[Peer]\nPublicKey = {TWO}\n"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [("[Peer]\n", r"no \[Interface\]"), ("[Interface]\nSaveConfig = true\n", "SaveConfig = true")],
)
def test_a_file_that_cannot_be_kept_is_refused(text: str, why: str) -> None:
    """With what to do, and nothing of its content."""
    with pytest.raises(QuickFileError, match=why):
        edited(text, [], ())
