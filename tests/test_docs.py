"""The pages that are made from the code are current."""

from pathlib import Path

import pytest

from failover_receiver.following.settings import FollowerSettings
from failover_receiver.settings import Settings
from tools import metrics, settings

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    ("file", "command", "page"),
    [
        ("metrics.md", metrics.COMMAND, metrics.page),
        ("receiver.md", settings.COMMAND, settings.page),
    ],
    ids=["metrics", "receiver"],
)
def test_a_page_that_is_made_is_current(file: str, command: str, page: object) -> None:
    """It is made by the command in its first line."""
    text = (DOCS / file).read_text()

    assert callable(page)
    assert text.startswith(f"<!-- {command} -->\n")
    assert text == page()


def test_every_key_of_the_receiver_is_explained() -> None:
    """With a word of what it is."""
    for kind in (Settings, FollowerSettings):
        assert [name for name, field in kind.model_fields.items() if not field.description] == []
