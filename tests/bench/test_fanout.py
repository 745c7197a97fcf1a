"""A small slice of the fan-out bench: everything is real but the size of the crowd. No figure is asserted."""

import pytest
from rich.console import Console

from tests.bench._crowd import Crowd, WrongBytesError, documents, payload, publish_packet, whole_packets
from tests.bench._servers import Receiver, core
from tests.bench.fanout import SSE_END, _events, fan_out, print_table, stalled, summary
from tests.lab.programs import MissingProgramError, program


@pytest.fixture
def _mosquitto() -> None:
    """Beside the receiver."""
    try:
        program("mosquitto")
    except MissingProgramError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("_mosquitto")
def test_every_watcher_of_both_servers_gets_what_was_published(capsys: pytest.CaptureFixture[str]) -> None:
    """The bench itself refuses other bytes; it tells what it promises to tell."""
    measured = [fan_out(50, 1, Console(quiet=True))]
    stall = stalled(4)

    print_table(measured, stall)

    assert "mosquitto" in capsys.readouterr().out
    told = summary(measured, stall)
    assert told["watchers"] == 50
    assert {"last_vs_mosquitto", "first_ms", "kb_per_watcher", "stalled_delays_others"} <= told.keys()
    assert isinstance(told["stalled_newest_seconds"], float)


def test_a_watcher_that_got_something_else_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Or the bench would be content with anything that ends as a document does."""
    receiver = Receiver(tmp_path_factory.mktemp("receiver"), workers=2, tokens=3)
    receiver.start()
    try:
        with Crowd(receiver.address, _events(receiver.tokens), core=core(-1)) as crowd:
            crowd.connect()
            before = receiver.document()
            crowd.round(receiver.webhook(), end=SSE_END)
            crowd.answer()

            crowd.check(receiver.document())
            with pytest.raises(WrongBytesError, match="a watcher got something else"):
                crowd.check(before)
    finally:
        receiver.running.kill()


def test_documents_are_read_out_of_a_chunked_stream() -> None:
    """However heartbeats stand between them."""
    event = b"event: peer-set\nid: 1.2\ndata: a.b.c\n\n"
    chunks = [b": heartbeat\n\n", event, b": heartbeat\n\n", event.replace(b"a.b.c", b"d.e.f")]

    said = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)

    assert documents(said) == [b"a.b.c", b"d.e.f"]


@pytest.mark.parametrize("length", [1, 127, 128, 20_000])
def test_mqtt_carries_any_length(length: int) -> None:
    """Its lengths have one to four bytes."""
    packet = publish_packet("wgfleet/peer-set", b"x" * length)

    assert payload(packet) == b"x" * length
    assert whole_packets(packet)
    assert whole_packets(packet + packet)
    assert not any(whole_packets(packet[:part]) for part in (0, 1, 2, len(packet) - 1))
