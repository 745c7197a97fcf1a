"""The receiver's API, as the operator's commands use it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from wgfleet.fields import DocumentError
from wgfleet.files import read_secret
from wgfleet.peerset import PeerSet
from wgfleet.signing import SignatureRefusedError, Verifier

WHOSE = "operator's token (--token-file, or $WGFLEET_TOKEN_FILE, names the file)"
"""Token the operator commands need, as an error names it."""

TIMEOUT_SECONDS = 10.0


class ApiError(RuntimeError):
    """The receiver refused or was not reached; the text says why and what to do."""


class Api:
    """One receiver, with the operator's token."""

    def __init__(
        self, url: str, token_file: Path, ca_file: Path | None, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        """Read the token; nothing is sent yet. Raises ValueError if a file is missing."""
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {read_secret(token_file, what=WHOSE)}"}
        if ca_file is not None and not ca_file.is_file():
            raise ValueError(
                f"{ca_file} is not there: --ca-file names the certificate of the receiver's authority"
            )
        verify = True if ca_file is None else str(ca_file)
        self._http = httpx.Client(headers=headers, timeout=timeout, trust_env=False, verify=verify)

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def call(self, method: str, path: str, *, body: object = None, **query: str | int) -> Any:
        """The parsed answer; None if it is empty. Raises ApiError."""
        answer = self._ask(method, path, body, query)
        return answer.json() if answer.content else None

    def peer_set(self) -> PeerSet:
        """The document that clients follow, which the receiver's present key must have signed. Raises ApiError."""
        key = self.call("GET", "/v1/signing-key")
        document = self._ask("GET", "/v1/peer-set", None, {}).content
        try:
            payload, _ = Verifier([key["public_key"]]).verify(document, fleet=key["fleet"])
            return PeerSet.from_bytes(payload, fleet=key["fleet"])
        except (SignatureRefusedError, DocumentError) as error:
            raise ApiError(
                f"the receiver at {self._url} gave no peer set that can be used: {error}"
            ) from None

    def _ask(self, method: str, path: str, body: object, query: Mapping[str, str | int]) -> httpx.Response:
        try:
            answer = self._http.request(method, f"{self._url}{path}", json=body, params=query)
        except httpx.HTTPError as error:
            raise ApiError(
                f"the receiver at {self._url} was not reached: {error}; does it run? is --receiver (or $WGFLEET_RECEIVER) right, http or https? does its certificate need --ca-file?"
            ) from None
        if answer.is_error:
            raise ApiError(f"the receiver said {answer.status_code}: {_reason(answer)}")
        return answer


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]
