"""A real browser on a real receiver. Debian's chromium: `tools/browser.sh` brings it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.fleet import Fleet


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Without it a laptop skips the test, and continuous integration fails.

    One for each module and no longer: playwright's event loop counts as running in this thread until it is stopped, and
    no later test could run one of its own.
    """
    program = shutil.which("chromium")
    if program is None:
        missing = "there is no chromium here: tools/browser.sh brings it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A receiver with six workers that serve."""
    with Fleet(tmp_path_factory.mktemp("fleet") / "receiver") as running:
        yield running


@pytest.fixture
def page(browser: Browser, fleet: Fleet) -> Iterator[Page]:
    """A window in which nothing is signed in; whatever the browser complains of fails the test."""
    context = browser.new_context(base_url=fleet.url)
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    # That a form was answered 401, the browser calls an error.
    assert [one for one in complaints if "401" not in one] == []
