"""Acks as they come: what a client or worker says that it has applied, and sees. After each document, all of them do."""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from failover_receiver.access import Holder, Role
from failover_receiver.acks import SEES_MOST, Ack, Sees
from failover_receiver.carried import described
from failover_receiver.intake import Asked, Way
from failover_receiver.receiver import Receiver

PATH = "/v1/acks"
ACKERS = frozenset({Role.CLIENT, Role.WORKER})
TAKEN = 204

LARGEST = 2**53
"""Up to here every reader of JSON has whole numbers."""

Number = Annotated[int, Field(ge=0, le=LARGEST)]
WorkerName = Annotated[str, Field(max_length=64)]
FleetName = Annotated[str, Field(max_length=64)]


class NumberBody(BaseModel):
    """A document's number."""

    epoch: Number
    generation: Number


class SeesBody(BaseModel):
    """What one worker's tunnel answered to the caller's own probes."""

    answers: bool
    rtt_ms: Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)] | None = None


class AckBody(BaseModel):
    """What a client or worker has applied, and sees. A worker need not follow the peer set."""

    fleet: FleetName | None = None
    """Whose documents these are. One of another fleet is refused: its numbers mean nothing here."""
    epoch: Number = 0
    generation: Number = 0
    active: WorkerName | None = None
    """Which worker carries its traffic."""
    client_list: NumberBody | None = None
    sees: Annotated[dict[WorkerName, SeesBody], Field(max_length=SEES_MOST)] | None = None
    draining: Annotated[dict[WorkerName, Number | None], Field(max_length=SEES_MOST)] | None = None
    """The connections that it still has on each worker that it is leaving; null: it cannot count them."""

    def ack(self, now: float) -> Ack:
        """The same, as it is kept."""
        clients = None if self.client_list is None else (self.client_list.epoch, self.client_list.generation)
        sees = {name: Sees(said.answers, said.rtt_ms) for name, said in (self.sees or {}).items()}
        return Ack(self.epoch, self.generation, self.active, now, clients, sees, self.draining or {})


def way(receiver: Receiver) -> Way:
    """How they are taken from whoever says them here."""

    async def take(asked: Asked) -> Response:
        await take_ack(receiver, asked.holder, await asked.carried(AckBody))
        return Response(status_code=TAKEN)

    return Way(ACKERS, take)


async def take_ack(receiver: Receiver, holder: Holder, body: AckBody) -> None:
    """Remember what a client or worker has applied, whichever way it said so. Raises RefusedError."""
    receiver.check_fleet(body.fleet)
    ack = body.ack(receiver.driver.clock())
    receiver.acknowledge(holder, ack)
    if holder.role is Role.WORKER and ack.client_list is not None:
        await receiver.registrar.acked(holder.name, ack.client_list)


def description() -> dict[str, Any]:
    """Of their body, for the description of the API."""
    return described(
        {"$ref": f"#/components/schemas/{AckBody.__name__}"}
    )  # It is there because batches have it.
