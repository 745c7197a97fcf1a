"""Asks a receiver to let this machine in, by its bundle: once."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from wgfleet.bundle import Bundle
from wgfleet.fields import DocumentError, Fields
from wgfleet.names import check_address

SECONDS = 30.0
"""For the receiver's answer: it writes to its disk first."""
ROUNDS, AGAIN_SECONDS = 3, 1.0
"""While none can be reached, and the pause between: a line that has just come up, a tunnel that is just being made."""
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)
"""After these the receiver cannot have seen the bundle."""


class EnrolmentError(ValueError):
    """The machine has not joined; the text says whether the bundle is still good, and what to do next."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What the receiver answered. Its repr does not show the token."""

    token: str = field(repr=False)
    tunnel_addresses: tuple[str, ...]


async def join(
    http: httpx.AsyncClient, bundle: Bundle, public_key: str, *, now: Callable[[], float] = time.time
) -> Joined:
    """Use the bundle, at the first of its receivers that can be reached. Raises EnrolmentError."""
    unreached: dict[str, str] = {}
    for number, url in enumerate(bundle.receivers * ROUNDS):
        if number and number % len(bundle.receivers) == 0:
            await asyncio.sleep(AGAIN_SECONDS)
        body = {"secret": bundle.secret, "public_key": public_key}
        try:
            answer = await http.post(f"{url}/v1/enrol", json=body, timeout=httpx.Timeout(SECONDS))
        except NOT_SENT as error:
            unreached[url] = str(error) or type(error).__name__
            continue
        except httpx.HTTPError as error:
            raise EnrolmentError(
                f"{url} was asked and did not answer ({str(error) or type(error).__name__}). Whether the bundle was "
                "used says `wgfleet enrolment list`; if it was, have a new one made with --again"
            ) from None
        if answer.status_code == httpx.codes.OK:
            return _joined(url, answer)
        raise EnrolmentError(_refusal(url, answer, bundle, now()))
    lines = [f"\n  {url}: {error}" for url, error in unreached.items()]
    raise EnrolmentError(f"no receiver can be reached, and the bundle is still good:{''.join(lines)}")


def _joined(url: str, answer: httpx.Response) -> Joined:
    try:
        fields = Fields("the answer", answer.json())
        token = _token(fields)
        return Joined(token, fields.texts("tunnel_addresses", check_address))
    except DocumentError as error:
        reason = str(error)
    except ValueError:  # Without its text, which may quote a token.
        reason = "it is not JSON"
    raise EnrolmentError(f"{url} let this machine in, but {reason}: is it a receiver of another version?")


def _token(fields: Fields) -> str:
    try:
        token: str = fields.get("token", str)
    except DocumentError:  # Which would quote it.
        token = ""
    if not token or not token.isprintable() or not token.isascii():
        raise DocumentError("the answer has no token")
    return token


def _refusal(url: str, answer: httpx.Response, bundle: Bundle, now: float) -> str:
    said = _error(answer)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        minutes = int(now - bundle.expires_at) // 60
        expired = f" By this machine's clock it expired {minutes} minutes ago." if minutes >= 0 else ""
        again = f"`wgfleet {bundle.role} enrol {bundle.name}`, with --again if `wgfleet enrolment list` says that it was used"
        return (
            f"{url} does not take the bundle: {said}.{expired} If a newer one was made for {bundle.name}, only that is good; else "
            f"have an operator make one: {again}"
        )
    return f"{url} answered {answer.status_code}: {said}. The bundle is still good"


def _error(answer: httpx.Response) -> str:
    """The receiver's own words, or the first of somebody else's, who may stand before it."""
    try:
        body: Any = answer.json()
    except ValueError:
        body = None
    said = body.get("error") if isinstance(body, dict) else None
    return said if isinstance(said, str) else " ".join(answer.text[:200].split()) or "nothing else"
