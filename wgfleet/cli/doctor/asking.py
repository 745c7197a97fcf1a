"""Asks every part at once, each question with a limit of its own. What cannot be asked is an answer, too."""

import asyncio
import email.utils
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from wgfleet.cli.api import WHOSE
from wgfleet.files import read_secret

TIMEOUT_SECONDS = 5.0
"""Longer than any of these answers takes on a sick machine, short enough to wait for."""

PROBES = "max by (job, worker, vantage) (probe_success)"
LIVE = "min by (instance) (wgfleet_follower_live)"
STORES = 'min by (instance) (wgfleet_receiver_store_connected{job="wgfleet-receiver"})'
FAILED_SD = "sum(increase(prometheus_sd_http_failures_total[2m]))"

RECEIVER: Mapping[str, str] = {
    "alive": "/livez",
    "ready": "/readyz",
    "doctor": "/v1/doctor",
    "wgfleet-worker": "/v1/sd/workers",
    **{f"wgfleet-{probe}": f"/v1/sd/probes?probe={probe}" for probe in ("tunnel", "icmp", "tcp", "canary")},
}
"""Questions to the receiver; those of targets by the job that scrapes them."""

PROMETHEUS: Mapping[str, str] = {
    "ready": "/-/ready",
    "version": "/api/v1/status/buildinfo",
    "flags": "/api/v1/status/flags",
    "config": "/api/v1/status/config",
    "targets": "/api/v1/targets?state=active",
    "rules": "/api/v1/rules",
    "alertmanagers": "/api/v1/alertmanagers",
    "probes": f"/api/v1/query?query={PROBES}",
    "followers": f"/api/v1/query?query={LIVE}",
    "stores": f"/api/v1/query?query={STORES}",
    "discovery": f"/api/v1/query?query={FAILED_SD}",
}
ALERTMANAGER: Mapping[str, str] = {
    "ready": "/-/ready",
    "status": "/api/v2/status",
    "silences": "/api/v2/silences",
    "watchdog": '/api/v2/alerts?filter=alertname="Watchdog"',
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one question."""

    status: int = 0
    """Of HTTP; 0 if there was no answer."""
    body: Any = None
    """Parsed JSON; None if it is none."""
    error: str = ""
    """Why there was no answer, or what the answer complains of."""
    clock: float | None = None
    """Seconds by which the answerer's clock is ahead of ours, by its Date, which has whole seconds."""

    @property
    def good(self) -> bool:
        """Whether it was answered as it should be."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Part:
    """One daemon, and what it answered."""

    url: str
    answers: Mapping[str, Answer]

    @property
    def reached(self) -> bool:
        """Whether it answered anything."""
        return any(answer.status for answer in self.answers.values())

    @property
    def clock(self) -> float | None:
        """Seconds by which its clock is ahead of ours; of several measurements the one in the middle."""
        clocks = sorted(answer.clock for answer in self.answers.values() if answer.clock is not None)
        return clocks[len(clocks) // 2] if clocks else None

    def body(self, question: str) -> Any:
        """The body of a good answer; None if there is none."""
        answer = self.answers[question]
        return answer.body if answer.good else None

    def why_not(self, question: str) -> str:
        """Why there is no body."""
        return self.answers[question].error or "its answer is no JSON"


@dataclass(frozen=True, slots=True)
class Asked:
    """All parts of the chain."""

    receiver: Part
    prometheis: Sequence[Part]
    alertmanagers: Sequence[Part]
    at: float


async def ask_all(
    receiver: str,
    prometheis: Sequence[str],
    alertmanagers: Sequence[str],
    *,
    token_file: Path,
    ca_file: Path | None,
) -> Asked:
    """Ask all of them at once. The token goes to the receiver alone. Raises ValueError if a file is missing."""
    bearer = {"Authorization": f"Bearer {read_secret(token_file, what=WHOSE)}"}
    verify: ssl.SSLContext | bool = True
    if ca_file is not None:
        try:
            verify = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise ValueError(
                f"{ca_file}: --ca-file names the certificate of the authority: {error}"
            ) from None
    async with httpx.AsyncClient(trust_env=False, verify=verify, timeout=None) as http:  # noqa: S113 - each question has a limit of its own, for all of its answer.
        at = time.time()
        first, *others = await asyncio.gather(
            _part(http, receiver, RECEIVER, bearer),
            *(_part(http, url, PROMETHEUS, {}) for url in prometheis),
            *(_part(http, url, ALERTMANAGER, {}) for url in alertmanagers),
        )
    return Asked(first, others[: len(prometheis)], others[len(prometheis) :], at)


async def _part(
    http: httpx.AsyncClient, url: str, questions: Mapping[str, str], headers: Mapping[str, str]
) -> Part:
    base = url.rstrip("/")
    answers = await asyncio.gather(*(_ask(http, f"{base}{path}", headers) for path in questions.values()))
    return Part(base, dict(zip(questions, answers, strict=True)))


async def _ask(http: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> Answer:
    begun = time.time()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            said = await http.get(url, headers=dict(headers))
    except TimeoutError:
        return Answer(error=f"no whole answer in {TIMEOUT_SECONDS:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(error=str(error) or type(error).__name__)
    return Answer(
        said.status_code,
        body := _parsed(said),
        error=_complaint(said, body) if said.is_error else "",
        clock=_ahead(said.headers.get("date"), (begun + time.time()) / 2),
    )


def _parsed(said: httpx.Response) -> Any:
    try:
        return said.json()
    except ValueError:
        return None


def _complaint(said: httpx.Response, body: Any) -> str:
    told = body.get("error") if isinstance(body, dict) else None
    return f"{said.status_code}: {told or said.text[:200].strip() or said.reason_phrase}"


def _ahead(date: str | None, now: float) -> float | None:
    try:
        # In the middle of the second that the header names.
        return None if date is None else email.utils.parsedate_to_datetime(date).timestamp() + 0.5 - now
    except ValueError:
        return None
