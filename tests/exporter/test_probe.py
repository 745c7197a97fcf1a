"""Tests of exporter/probe.py: what an operator may write for --egress.probe."""

from ipaddress import ip_address

import pytest

from exporter.probe import Kind, Probe, parse_probe

V4, V6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("icmp:192.0.2.1", Probe(Kind.ICMP, V4)),
        ("icmp:2001:db8::1", Probe(Kind.ICMP, V6)),
        ("tcp:192.0.2.1:443", Probe(Kind.TCP, V4, 443)),
        ("tcp:[2001:db8::1]:443", Probe(Kind.TCP, V6, 443)),
        ("dns:192.0.2.1/example.org", Probe(Kind.DNS, V4, 53, "example.org")),
        ("dns:2001:db8::1/example.org", Probe(Kind.DNS, V6, 53, "example.org")),
        ("dns:192.0.2.1:5353/example.org", Probe(Kind.DNS, V4, 5353, "example.org")),
        ("dns:[2001:db8::1]:5353/example.org", Probe(Kind.DNS, V6, 5353, "example.org")),
    ],
)
def test_a_probe_is_read_and_written_back(text: str, probe: Probe) -> None:
    """The label says what the flag said."""
    assert parse_probe(text) == probe
    assert str(probe) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("icmp:[2001:0db8:0::1]", "icmp:2001:db8::1"),
        ("dns:[2001:db8::1]/example.org", "dns:2001:db8::1/example.org"),
        ("dns:192.0.2.1:53/example.org", "dns:192.0.2.1/example.org"),
    ],
)
def test_the_same_probe_has_one_label(text: str, written: str) -> None:
    """However it was written."""
    assert str(parse_probe(text)) == written


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("192.0.2.1", "'192.0.2.1' is no kind of probe"),
        ("http:192.0.2.1", "'http' is no kind of probe"),
        ("icmp:", "'' is no IP address, and a name will not do"),
        ("icmp:example.org", "'example.org' is no IP address, and a name will not do"),
        ("icmp:192.0.2.1:7", "an echo has no port"),
        ("icmp:224.0.0.1", "224.0.0.1 cannot be what lies beyond the worker"),
        ("icmp:0.0.0.0", "0.0.0.0 cannot be what lies beyond the worker"),
        ("icmp:fe80::1", "fe80::1 cannot be what lies beyond the worker"),
        ("tcp:192.0.2.1", "the port is missing"),
        ("tcp:2001:db8::1:443", "the port is missing"),
        ("tcp:[2001:db8::1]443", "the bracket of the address does not end"),
        ("tcp:[2001:db8::1", "the bracket of the address does not end"),
        ("tcp:192.0.2.1:0", "'0' is no port from 1 to 65535"),
        ("tcp:192.0.2.1:65536", "'65536' is no port from 1 to 65535"),
        ("tcp:192.0.2.1:https", "'https' is no port from 1 to 65535"),
        ("dns:192.0.2.1", "the name to ask for is missing"),
        ("dns:192.0.2.1/", "the name to ask for is missing"),
        ("dns:192.0.2.1/a..b", "'a..b' is no name: A DNS label is empty."),
    ],
)
def test_what_is_no_probe_is_refused_with_the_reason(text: str, why: str) -> None:
    """And with what would be one."""
    with pytest.raises(ValueError, match=r"^egress probe") as refusal:
        parse_probe(text)
    assert str(refusal.value) == (
        f"egress probe {text!r}: {why}; write icmp:ADDRESS, tcp:ADDRESS:PORT or dns:ADDRESS/NAME, "
        "an IPv6 address with a port in brackets"
    )
