"""Tests of exporter/metrics.py: what `promtool check metrics` does not find in names."""

import pytest

from exporter.metrics import ALL, PEER, Family, Sample
from tests.exporter.pages import WHOLE, families


def test_every_name_is_there_once_and_is_tried() -> None:
    """The page that the tests compare has all of them."""
    names = [family.name for family in ALL]

    assert sorted(names) == sorted(families(WHOLE.read_text()))


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_names_follow_the_conventions(family: Family) -> None:
    """One prefix, base units, timestamps that say so, and a sentence of help."""
    assert family.name.startswith("wireguard_")
    assert not family.name.endswith(("_ms", "_milliseconds", "_percent", "_bits", "_minutes", "_kilobytes"))
    assert ("handshake" in family.name and family.name.endswith("_seconds")) == family.name.endswith(
        "_timestamp_seconds"
    )
    assert family.help.endswith(".")


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_what_only_grows_is_a_counter(family: Family) -> None:
    """And is called so; everything else is a gauge."""
    labels = tuple("x" for _ in family.labels)

    metric = family.metric([Sample(family, labels, 1)])

    assert metric.type == ("counter" if family.name.endswith("_total") else "gauge")
    assert [sample.name for sample in metric.samples] == [family.name]
    assert metric.samples[0].labels == dict.fromkeys(family.labels, "x")


def test_the_series_of_a_peer_have_its_interface_and_key_and_nothing_else() -> None:
    """Anything that moves would fork them; what does stands on a metric of its own."""
    of_peers = [family for family in ALL if family.name.startswith("wireguard_peer_")]

    assert {family.labels for family in of_peers if not family.name.endswith("_info")} == {PEER}
    assert {family.labels[-1] for family in of_peers if family.name.endswith("_info")} == {
        "name",
        "endpoint",
        "allowed_ips",
    }
