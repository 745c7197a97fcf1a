"""What followers ask of the receiver itself."""

from collections.abc import Sequence

from fastapi import APIRouter

from failover_receiver.access import digest
from failover_receiver.acking import ACKERS, take_ack
from failover_receiver.following import batch
from failover_receiver.following.passing import TAKEN, Answer
from failover_receiver.receiver import Receiver
from failover_receiver.state import RefusedError

REFUSED = Answer(401, "this token does not open here: it was revoked, has expired, or is another role's")


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/follow/events` and `/v1/acks/batch`."""

    async def take(acks: Sequence[batch.PassedAck]) -> list[Answer]:
        return [await _take(receiver, one) for one in acks]

    return batch.routes(receiver.gate, receiver.source, take)


async def _take(receiver: Receiver, one: batch.PassedAck) -> Answer:
    token = one.token.get_secret_value().encode()
    holder = receiver.gate.holder(digest(token))
    if holder is None or not receiver.gate.lets_in(token, ACKERS):
        return REFUSED
    try:
        await take_ack(receiver, holder, one.ack)
    except RefusedError as error:
        return Answer(409, str(error))
    return TAKEN
