"""Working with the keyboard alone: what it reaches, and whether one sees where one is."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

MOST_STEPS = 400
STRIDE = 8

# Everything that can be operated here and now. Of a group of radio buttons the keyboard reaches one.
WATCH = """() => {
  const usable = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && one.tabIndex >= 0 && !one.disabled;
  const seen = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
  };
  window.unreached = new Set([...document.querySelectorAll(usable)].filter(shown));
  window.unseen = new Set();
  document.addEventListener("focusin", ({ target }) => {
    window.unreached.delete(target);
    if (![target, target.closest("label")].some((one) => one && seen(one))) window.unseen.add(target);
  });
}"""
TOLD = """(name) => [...window[name]].filter((one) => one.isConnected).map((one) => one.outerHTML.slice(0, 120))"""
LEFT = """() => [...window.unreached].some((one) => one.isConnected)"""
HERE = """(one) => document.activeElement === one"""


def reaches_everything(page: Page) -> None:
    """Tab through a fresh page: every control gets the focus in turn, and the focus shows."""
    page.evaluate(WATCH)
    for step in range(MOST_STEPS):
        if step % STRIDE == 0 and not page.evaluate(LEFT):
            break
        page.keyboard.press("Tab")
    assert page.evaluate(TOLD, "unreached") == []
    assert page.evaluate(TOLD, "unseen") == []


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if wanted.evaluate(HERE):
            return
    raise AssertionError(f"Tab never came to {wanted}")
