"""What a follower asks of the receiver that it follows, beside its stream: that it takes acks."""

import json
import logging
from collections.abc import Sequence

import httpx

from failover_receiver.following.edge import Edge
from failover_receiver.following.passing import AWAY, TAKEN, Answer
from failover_receiver.following.upstream import Upstream
from wgfleet.logs import say

log = logging.getLogger(__name__)

PATH = "/v1/acks/batch"
SECONDS = 5.0
"""For an answer. A daemon waits ten."""


class Acks:
    """Sends acks on."""

    def __init__(self, edge: Edge, http: httpx.AsyncClient, upstream: Upstream) -> None:
        """To the one that is followed."""
        self._edge = edge
        self._http = http
        self._upstream = upstream

    async def post(self, body: bytes, count: int) -> Sequence[Answer]:
        """What became of each; all are away if there is no answer, or none that we understand."""
        try:
            answers = await self._post(body, count)
        except Exception as error:  # noqa: BLE001 - whatever it answers, those who wait must be answered, and the next ones sent.
            say(log, "acks not passed on", level=logging.WARNING, acks=count, error=repr(error))
            answers = [AWAY] * count
        for answer in answers:
            self._edge.metrics.acks.labels(answer.outcome).inc()
        return answers

    async def _post(self, body: bytes, count: int) -> list[Answer]:
        receiver = self._edge.link.receiver
        if receiver is None:
            return [AWAY] * count
        headers = {**self._upstream.headers, "Content-Type": "application/json"}
        answer = await self._http.post(f"{receiver}{PATH}", content=body, headers=headers, timeout=SECONDS)
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"it answered {answer.status_code}")
        refused = json.loads(answer.content)["refused"]
        return [_read(refused.get(str(number))) for number in range(count)]


def _read(refused: dict[str, object] | None) -> Answer:
    return TAKEN if refused is None else Answer(int(str(refused["status"])), str(refused["error"]))
