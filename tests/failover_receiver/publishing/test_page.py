"""Tests of docs/publishers.md: what can be pasted from it works."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from client_sync.config import load as load_client
from failover_receiver.publishing import notices
from failover_receiver.settings import load
from tests.client_sync.test_config import REQUIRED
from tests.failover_receiver.test_settings import LEAST

PAGE = (Path(__file__).parents[3] / "docs" / "publishers.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_configuration_can_be_pasted(tmp_path: Path, number: int) -> None:
    """At the end of the file that its first line names."""
    block = BLOCKS[number]
    file = tmp_path / block.splitlines()[0].removeprefix("# ")
    file.write_text((LEAST if file.name == "receiver.toml" else REQUIRED) + block)

    if file.name == "receiver.toml":
        load(file)
    else:
        assert load_client(file).mqtt is not None


def test_there_is_one_of_each_kind() -> None:
    """A page without any would pass."""
    tables = {line for block in BLOCKS for line in block.splitlines() if line.startswith("[")}

    assert tables == {"[mqtt]", "[[webhooks]]", "[file]", "[[uploads]]"}


def test_the_code_that_verifies_a_notice_does() -> None:
    """And refuses one that was changed."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    said: dict[str, Any] = {}
    exec(code, said)  # noqa: S102 - What stands on the page.
    is_ours = said["is_ours"]
    secret = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
    headers = notices.headers(b"{}", "example-1-8", [b"o" * 32, *notices.secrets(secret)], now=1000.0)

    assert is_ours(headers, b"{}", secret)
    assert not is_ours(headers, b"{ }", secret)
