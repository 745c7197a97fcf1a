"""Tests that the receiver's page serves everybody: small windows, dark rooms, keyboards, readers of screens."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from failover_receiver.access import Role
from tests.browser.fleet import WORKERS, Fleet

CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const beneath = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = new Map();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || one.closest("noscript") || !one.checkVisibility()) continue;
    seen += 1;
    const [a, b] = [channels(getComputedStyle(one).color), beneath(one)].map(luminance);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) low.set(`${one.tagName} ${one.className} ${texts.currentNode.data.trim()}`, contrast);
  }
  return { seen, low: Object.fromEntries(low) };
}"""
"""Text whose contrast with what is beneath it is less than WCAG's AA asks for."""

NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([hidden]), table, section, img")]
  .filter((one) => {
    const labelled = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby");
    return !(labelled || one.innerText?.trim() || one.labels?.length || one.getAttribute("alt"));
  })
  .map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def varied(fleet: Fleet) -> Fleet:
    """Every state is there to be seen, and a client that is behind."""
    fleet.operate("PUT", "/v1/workers/fra1/drain")
    fleet.operate("PUT", "/v1/workers/fra2/ban")
    fleet.post(("down", "lon1"))
    fleet.operate("PUT", "/v1/workers/new1", {
        "public_key": f"{99:042}A=", "endpoints": ["192.0.2.99:51820"],
        "tunnel_addresses": ["10.99.0.99"], "allowed_ips": ["0.0.0.0/0"],
    })  # fmt: skip
    return fleet


def window(browser: Browser, fleet: Fleet, *, scheme: str = "light", width: int = 1280) -> Page:
    """Somebody is signed in, in a window like that."""
    page = browser.new_page(
        base_url=fleet.url,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 800},
        reduced_motion="reduce",
    )
    fleet.sign_in(page)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(browser: Browser, varied: Fleet, scheme: str) -> None:
    """With the contrast that WCAG asks for, by day and by night."""
    page = window(browser, varied, scheme=scheme)

    found = page.evaluate(CONTRAST)

    assert found["low"] == {}
    assert found["seen"] > 50
    page.close()


def test_at_night_the_page_is_dark(browser: Browser, varied: Fleet) -> None:
    """As the browser wishes it, not by a switch."""
    backgrounds = []
    for scheme in ("light", "dark"):
        page = window(browser, varied, scheme=scheme)
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        backgrounds.append(sum(int(part) for part in re.findall(r"\d+", colour)))
        page.close()

    light, dark = backgrounds
    assert light > 3 * 200
    assert dark < 3 * 50


@pytest.mark.parametrize("path", ["/", "/sign-in"])
def test_on_a_phone_nothing_lies_beyond_the_edge(browser: Browser, varied: Fleet, path: str) -> None:
    """At 360 pixels only up and down is scrolled."""
    page = window(browser, varied, width=360)
    if path == "/sign-in":
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_reader_of_screens_hears_a_table(browser: Browser, varied: Fleet, width: int) -> None:
    """On a phone too, where it does not look like one: named, with headers of columns and rows."""
    page = window(browser, varied, width=width)

    heard = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    named = [(one["role"]["value"], one.get("name", {}).get("value")) for one in heard if not one["ignored"]]
    titles = ["Worker", "State", "Reason", "Since", "Load", "Clients"]
    assert ("table", "Workers") in named
    assert [name for role, name in named if role == "columnheader"][: len(titles)] == titles
    workers = sorted((*WORKERS, "new1"))
    assert [name for role, name in named if role == "rowheader"][: len(workers)] == workers
    page.close()


def test_a_state_is_told_by_word_and_shape(browser: Browser, varied: Fleet) -> None:
    """Who sees no colours reads it, who reads fast sees it; and no two shapes are alike."""
    page = window(browser, varied)

    states = set(page.locator("#workers .state").all_inner_texts())

    assert states >= {"● serving", "◐ joining", "▽ draining", "✕ down", "⊘ banned"}
    assert len({state.split()[0] for state in states}) == len(states)
    page.close()


def test_everything_that_can_be_used_has_a_name(browser: Browser, varied: Fleet) -> None:
    """So that it can be announced."""
    page = window(browser, varied)
    assert page.evaluate(NAMELESS) == []

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert page.evaluate(NAMELESS) == []
    page.close()


def test_the_keyboard_reaches_everything_in_order(browser: Browser, varied: Fleet) -> None:
    """First a way past the head of the page, then the only button; and what has the focus shows it."""
    page = window(browser, varied)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the workers")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the workers")).to_be_in_viewport()
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Sign out")
    expect(button).to_be_focused()
    assert button.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#workers")).to_be_focused()
    page.close()


def test_signing_in_needs_no_mouse(browser: Browser, varied: Fleet) -> None:
    """The field has the focus."""
    page = browser.new_page(base_url=varied.url)
    page.goto("/")
    expect(page.locator("#token")).to_be_focused()  # The browser gives it some time after it has loaded.

    page.keyboard.type(varied.secret(Role.OPERATOR))
    page.keyboard.press("Enter")

    page.get_by_text("● live").wait_for()
    page.close()


def test_what_changes_takes_no_focus_away(browser: Browser, varied: Fleet) -> None:
    """Nor anything selected elsewhere; where motion is not wanted, nothing moves."""
    page = window(browser, varied)
    page.get_by_role("button", name="Sign out").focus()

    varied.operate("PUT", "/v1/workers/nyc1/drain")

    expect(page.locator("tr[data-name=nyc1] .state")).to_have_text("▽ draining")
    expect(page.get_by_role("button", name="Sign out")).to_be_focused()
    assert (
        page.locator("tr[data-name=nyc1]").evaluate("(one) => getComputedStyle(one).animationName") == "none"
    )
    page.close()


def test_the_page_says_its_language_and_how_it_is_laid_out(browser: Browser, varied: Fleet) -> None:
    """One heading of the page, one of each part, and the landmarks by which readers jump."""
    page = window(browser, varied)

    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["wgfleet test"]
    assert page.get_by_role("heading", level=2).all_inner_texts() == ["Workers", "Clients", "History"]
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.locator("body").get_by_role(landmark)).to_have_count(1)
    page.close()
