"""Tests of client_sync/perworker/counting.py: connections counted from the kernel's own lines."""

from client_sync.perworker.counting import flows

CONNECTIONS = """\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.99.1.1 dst=198.51.100.100 sport=40000 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40000 [ASSURED] mark=958601 zone=0 use=2
ipv4     2 udp      17 29 src=10.99.1.1 dst=198.51.100.100 sport=5000 dport=7 [UNREPLIED] src=198.51.100.100 \
dst=10.99.1.1 sport=7 dport=5000 mark=958601 zone=0 use=2
ipv6     10 tcp     6 60 SYN_SENT src=fd00::7 dst=2001:db8::1 sport=1 dport=2 [UNREPLIED] src=2001:db8::1 dst=fd00::7 \
sport=2 dport=1 mark=958602 use=1
ipv4     2 tcp      6 119 TIME_WAIT src=10.99.1.1 dst=198.51.100.100 sport=40001 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40001 [ASSURED] mark=958602 zone=0 use=2
ipv4     2 tcp      6 9 CLOSE src=10.99.1.1 dst=198.51.100.100 sport=40002 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40002 [ASSURED] mark=958602 zone=0 use=2
ipv4     2 udp      17 29 src=192.0.2.101 dst=192.0.2.11 sport=1 dport=51820 src=192.0.2.11 dst=192.0.2.101 \
sport=51820 dport=1 [ASSURED] mark=0 zone=0 use=2
ipv4     2 unknown  2 599 src=0.0.0.0 dst=224.0.0.1 src=224.0.0.1 dst=0.0.0.0 use=2
"""


def test_connections_are_counted_by_their_mark() -> None:
    """One that has ended keeps no worker busy, though it is listed for two minutes; without a mark it is nobody's."""
    assert flows(CONNECTIONS.splitlines()) == {958601: 2, 958602: 1}


def test_the_program_conntrack_says_the_same_in_its_own_lines() -> None:
    """It names no zone."""
    said = """\
ipv4     2 udp      17 29 src=10.99.1.1 dst=198.51.100.100 sport=45925 dport=7 src=198.51.100.100 dst=10.99.1.1 \
sport=7 dport=45925 mark=51821 use=1
ipv4     2 tcp      6 299 ESTABLISHED src=10.99.1.1 dst=198.51.100.100 sport=40912 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40912 [ASSURED] mark=51821 use=1
ipv4     2 tcp      6 119 TIME_WAIT src=10.99.1.1 dst=198.51.100.100 sport=40913 dport=8 src=198.51.100.100 \
dst=10.99.1.1 sport=8 dport=40913 [ASSURED] mark=51821 use=1
"""

    assert flows(said.splitlines()) == {51821: 2}
