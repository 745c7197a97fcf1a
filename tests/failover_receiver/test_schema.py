"""The API against its own description: whatever is sent, nothing breaks, and no answer is one that is not described.

Over real sockets, to the whole receiver. The examples are the same each time, so that a failure is one to look into.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from failover_receiver.access import Role
from tests.failover_receiver.parts import LIMIT, bearer
from tests.failover_receiver.running import Running

EXAMPLES = 10
"""For each route, mode and way of letting in: few enough to be asked at each `make test`."""

STREAMS = ["/v1/peer-set/events", "/v1/client-list/events", "/v1/places/events"]
"""They do not end."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A receiver that serves."""
    with Running(tmp_path_factory.mktemp("fuzzed") / "receiver") as process:
        yield process


@pytest.fixture(scope="module")
def api(running: Running) -> BaseSchema:
    """Its own description."""
    return schemathesis.openapi.from_url(f"{running.url}/openapi.json").exclude(path=STREAMS)


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """One connection for all."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def fault(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, **how: Any) -> str | None:
    """What is wrong with an answer of that route, with an example; None if nothing was found."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS, timeout=LIMIT, **how)

    try:
        ask()
    except Unsatisfiable:  # It takes nothing, so nothing of it can be wrong.
        assert mode is GenerationMode.NEGATIVE
    except (Failure, FailureGroup) as found:
        return f"{operation.label}: {found}"
    return None


@pytest.mark.parametrize("who", [Role.OPERATOR, None])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_sent_is_answered_as_described(
    api: BaseSchema, running: Running, http: requests.Session, mode: GenerationMode, who: Role | None
) -> None:
    """What makes sense and what does not, of an operator and of nobody: never a 5xx, nor an answer of another kind."""
    # What is sent does not revoke it: it is the last operator's.
    headers = {} if who is None else bearer(running.secret(who))

    operations = [one.ok() for one in api.get_all_operations() if isinstance(one, Ok)]
    faults = [fault(operation, mode, headers=headers, session=http) for operation in operations]

    if any(faults):
        pytest.fail("\n".join(filter(None, faults)), pytrace=False)
    assert len(operations) > 30


def test_it_takes_alerts_after_all_that(running: Running) -> None:
    """Nothing that was sent has done it any harm."""
    assert httpx.get(f"{running.url}/readyz", trust_env=False).status_code == 200
