"""Tests of the receiver's page in a real browser: what people see, and who sees it."""

import re
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from failover_receiver.access import Role
from tests.browser.fleet import WORKERS, Fleet


def row(page: Page, worker: str) -> list[str]:
    """A worker's row, cell by cell."""
    cells = page.locator(f"#workers tr[data-name={worker}] > *").all()
    return [" ".join(cell.inner_text().split()) for cell in cells]


# Who may look.


def test_a_token_opens_the_page_and_is_not_kept(page: Page, fleet: Fleet) -> None:
    """The cookie is a secret of its own, which no script can read, no other site sends, and the API does not know."""
    fleet.sign_in(page)

    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert cookie["value"] != fleet.secret(Role.OPERATOR)
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("fetch('/v1/workers').then((answer) => answer.status)") == 401
    answer = httpx.get(
        f"{fleet.url}/health", headers={"Authorization": f"Bearer {cookie['value']}"}, trust_env=False
    )
    assert answer.status_code == 401


def test_a_wrong_token_is_told_in_the_form(page: Page, fleet: Fleet) -> None:
    """Beside the field, which is then to be filled again."""
    page.goto("/")
    page.get_by_label("Operator's token").fill("wrong")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("This token is not known here")
    expect(page.get_by_label("Operator's token")).to_be_focused()
    expect(page.get_by_label("Operator's token")).to_have_value("")
    assert page.url == f"{fleet.url}/sign-in"


def test_who_signs_out_is_out_in_every_window(page: Page, fleet: Fleet) -> None:
    """And going back shows nothing."""
    fleet.sign_in(page)
    other = page.context.new_page()
    other.goto("/")
    other.get_by_text("● live").wait_for()

    page.get_by_role("button", name="Sign out").click()

    page.wait_for_url("**/sign-in")
    other.wait_for_url("**/sign-in")
    page.goto("/")
    assert page.url == f"{fleet.url}/sign-in"


def test_a_revoked_token_ends_the_page(page: Page, fleet: Fleet) -> None:
    """At once, without a click."""
    fleet.sign_in(page, fleet.token("alice"))
    assert page.get_by_role("banner").inner_text().endswith("signed in as alice Sign out")

    fleet.operate("DELETE", "/v1/tokens/alice")

    page.wait_for_url("**/sign-in")


# What is seen.


def test_every_worker_is_told_with_state_reason_and_since_when(page: Page, fleet: Fleet) -> None:
    """In words and in the word that the API has."""
    fleet.sign_in(page)

    assert [cell.inner_text() for cell in page.locator("#workers tbody th").all()] == list(WORKERS)
    name, state, reason, since, load, clients = row(page, "sgp1")
    assert (name, state, load, clients) == ("sgp1", "● serving", "\N{EN DASH}", "0")
    assert reason == "heard up, and nothing speaks against it up"
    assert since.endswith(" ago")


def test_a_failover_appears_without_a_reload(page: Page, fleet: Fleet) -> None:
    """In the table, in the title and in the history; and it is said in one sentence, of what changed alone."""
    fleet.sign_in(page)
    page.evaluate("window.here = true")
    usable = page.title().split(" ", 1)[0]

    fleet.post(("down", "ams1"))

    expect(page.locator("tr[data-name=ams1] .state")).to_have_text("✕ down")
    expect(page.get_by_role("status")).to_have_text("ams1 is down: monitoring says that it is down.")
    assert page.title() == f"{int(usable) - 1} of {len(WORKERS)} workers usable · test"
    newest = page.locator("#history tbody tr").first.inner_text().split()
    assert newest[-4:-1] == ["down", "worker_down", "alertmanager"]
    assert page.evaluate("window.here") is True


def test_a_client_that_is_behind_is_named(page: Page, fleet: Fleet) -> None:
    """With how far; and it is gone from there once it has the newest."""
    client = httpx.Client(
        base_url=fleet.url,
        headers={"Authorization": f"Bearer {fleet.token('laptop', Role.CLIENT)}"},
        trust_env=False,
    )
    fleet.sign_in(page)
    health = fleet.operate("GET", "/health")
    number = {"epoch": health["epoch"], "generation": health["generation"]}

    client.post("/v1/acks", json={**number, "generation": number["generation"] - 1, "active": "fra1"})
    expect(page.locator("#behind tbody tr")).to_contain_text("laptop")
    expect(page.locator("#behind tbody tr")).to_contain_text("1 generation")
    expect(page.locator("tr[data-name=fra1] td").last).to_have_text("1")

    client.post("/v1/acks", json={**number, "active": "fra1"})
    expect(page.locator("#behind")).to_contain_text("1 heard lately, and nobody is behind.")
    client.close()


def test_without_javascript_the_page_is_whole(browser: Browser, fleet: Fleet) -> None:
    """It says of when it is, and loads itself anew."""
    page = browser.new_page(base_url=fleet.url, java_script_enabled=False)
    page.goto("/")
    page.get_by_label("Operator's token").fill(fleet.secret(Role.OPERATOR))
    page.get_by_role("button", name="Sign in").click()

    assert row(page, "sgp1")[:2] == ["sgp1", "● serving"]
    assert re.search(
        r"As of \S+ \S+ UTC\. Reload It reloads itself every 10 s\.", page.get_by_role("banner").inner_text()
    )
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "10"
    page.get_by_role("link", name="Reload").click()
    assert row(page, "sgp1")[:2] == ["sgp1", "● serving"]
    page.close()


def test_a_receiver_that_is_gone_is_told_and_found_again(browser: Browser, tmp_path: Path) -> None:
    """Nobody takes an old page for the truth; nor has anybody to reload it."""
    with Fleet(tmp_path / "receiver") as fleet:
        page = browser.new_page(base_url=fleet.url)
        fleet.sign_in(page)
        file = fleet.directory / "receiver.toml"
        file.write_text(
            file.read_text().replace("listen_port = 0", f"listen_port = {httpx.URL(fleet.url).port}")
        )

        fleet.kill()
        expect(page.locator("#connection")).to_contain_text("this may be old")
        expect(page.get_by_role("status")).to_contain_text("this may be old")

        fleet.start()
        expect(page.locator("#connection")).to_have_text("● live", timeout=15_000)
        page.close()


def test_blindness_is_said_at_the_top(browser: Browser, tmp_path: Path) -> None:
    """And why, and what that means."""
    with Fleet(tmp_path / "receiver") as fleet:
        page = browser.new_page(base_url=fleet.url)
        fleet.sign_in(page)
        expect(page.locator(".monitoring")).to_have_text("● Monitoring is live.")

        fleet.post(("blind", None))

        blind = (
            "Monitoring is blind: the vantage says that it sees nothing. Alerts move nobody until it is back; "
            "clients still leave a dead worker by themselves."
        )
        expect(page.locator(".monitoring")).to_have_text(f"✕ {blind}")
        expect(page.get_by_role("status")).to_have_text(blind)
        page.close()
