"""What holds for every state of every screen."""

from __future__ import annotations

from tests.browser.harness import WIDE, Visitor


def sound(person: Visitor, name: str, locale: str = "") -> None:
    """Nothing of WCAG is violated in either theme, and nothing is cut: at 320 px, and with text twice as large."""
    person.accessible()
    person.fits()
    page = person.page
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.wait_for_timeout(50)
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.evaluate("document.documentElement.style.fontSize = ''")
    assert wide <= WIDE["width"], f"{wide} px wide with text of 200%"
    page.emulate_media(color_scheme="light")
    person.picture("-".join(filter(None, (name, locale[:2]))))
