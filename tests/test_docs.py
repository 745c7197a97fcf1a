"""The pages that are made from the code are current."""

from pathlib import Path

from tools.metrics import COMMAND, page

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_metrics_is_current() -> None:
    """It is made by the command in its first line."""
    text = (DOCS / "metrics.md").read_text()

    assert text.startswith(f"<!-- {COMMAND} -->\n")
    assert text == page()
