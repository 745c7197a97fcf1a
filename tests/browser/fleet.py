"""A receiver with workers, and what operators and Alertmanager do to it while somebody looks."""

import time
from typing import Any, Self

import httpx
from playwright.sync_api import Page

from failover_receiver.access import Role
from tests.failover_receiver.parts import BODY, LIMIT, bearer, posted, webhook
from tests.failover_receiver.running import Running
from tests.failover_receiver.story import spec

WORKERS = ("ams1", "fra1", "fra2", "lon1", "nyc1", "sgp1")


class Fleet(Running):
    """Ends with its `with`."""

    def __enter__(self) -> Self:
        """Start it, add the workers, and hear that all are up."""
        super().__enter__()
        for number, name in enumerate(WORKERS, start=1):
            key, addresses = spec(number).public_key, list(spec(number).tunnel_addresses)
            self.operate(
                "PUT", f"/v1/workers/{name}", {**BODY, "public_key": key, "tunnel_addresses": addresses}
            )
        self.post(("watchdog", None), *(("up", name) for name in WORKERS))
        return self

    def operate(self, method: str, path: str, body: Any = None) -> Any:
        """An operator's wish; the answer."""
        return self._ask(Role.OPERATOR, method, path, body)

    def post(self, *alerts: tuple[str, str | None]) -> None:
        """Alertmanager's webhook, of alerts that begin now."""
        now = time.time()
        body = webhook(*(posted(kind, worker, now) for kind, worker in alerts))
        self._ask(Role.ALERTMANAGER, "POST", "/v1/alerts", body)

    def token(self, name: str, role: Role = Role.OPERATOR) -> str:
        """A new token."""
        made: str = self.operate("POST", "/v1/tokens", {"name": name, "role": role})["token"]
        return made

    def sign_in(self, page: Page, token: str | None = None) -> None:
        """With the operator's token, or another's; returns when the page is live."""
        page.goto(f"{self.url}/")
        page.get_by_label("Operator's token").fill(token or self.secret(Role.OPERATOR))
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("● live").wait_for()

    def _ask(self, role: Role, method: str, path: str, body: Any) -> Any:
        headers = bearer(self.secret(role))
        with httpx.Client(base_url=self.url, headers=headers, timeout=LIMIT, trust_env=False) as http:
            answer = http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None
