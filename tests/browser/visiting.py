"""A visitor of the dashboard: one browser window, which remembers all that went wrong in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response
from playwright.sync_api import expect as expect_that

if TYPE_CHECKING:
    from running import Service

PHONE = (390, 844)
DESK = (1280, 800)
#: How much longer than an idle machine ours may take, in ms.
PATIENCE = 20_000
expect_that.set_options(timeout=PATIENCE)

#: A browser says so of any page that is not 200, also of those that say what is wrong.
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of \d+")

_SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll("body *")].filter(
    (one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".scroll"));
  return [`${document.scrollingElement.scrollWidth} > ${width}`,
    ...wide.slice(0, 5).map((one) => `${one.tagName}.${one.className}`)];
}"""


@dataclass(frozen=True)
class Look:
    """What kind of window a visitor has."""

    size: tuple[int, int] = DESK
    dark: bool = False
    script: bool = True
    scale: float = 1


@dataclass
class Visitor:
    """One window with cookies of its own; what it must never meet is in `troubles`."""

    browser: Browser
    service: Service
    look: Look = field(default_factory=Look)
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        width, height = self.look.size
        self.context = self.browser.new_context(
            base_url=self.service.url,
            java_script_enabled=self.look.script,
            viewport={"width": width, "height": height},
            device_scale_factor=self.look.scale,
            color_scheme="dark" if self.look.dark else "light",
            locale="en-GB",
            timezone_id="Asia/Kolkata",
        )
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.troubles.append(f"script failed: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("response", self._answered)

    def sign_in(self, token: str | None = None, then: str = "/") -> Page:
        """Sign in as a person would, and go to a page."""
        self.page.goto(f"/sign-in?next={then}")
        self.page.get_by_label("Token").fill(token or self.service.token)
        self.page.get_by_role("button", name="Sign in").click()
        expect_that(self.page.get_by_role("button", name="Sign out")).to_be_visible()
        return self.page

    def enter(self, token: str | None = None, then: str = "") -> Page:
        """Sign in without the form, which is quicker, and go to a page if one is named."""
        answer = self.context.request.post(
            "/sign-in",
            form={"token": token or self.service.token},
            headers={"Sec-Fetch-Site": "same-origin"},
            max_redirects=0,
        )
        assert answer.status == 303, answer.text()
        return self.goto(then) if then else self.page

    def goto(self, path: str) -> Page:
        """Go to a page."""
        self.page.goto(path)
        return self.page

    @property
    def path(self) -> str:
        """Where the window is: path and query."""
        parts = urlsplit(self.page.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def sideways(self) -> list[str]:
        """Give by how much the page is too wide, and what makes it so; [] if it fits.

        Of a page that just came after a click, the style sheet may still be on its way: it is
        measured as it stands when all is there.
        """
        self.page.wait_for_load_state("load")
        return cast("list[str]", self.page.evaluate(_SIDEWAYS))

    def calm(self) -> None:
        """Forget the troubles that a test made itself."""
        self.troubles.clear()

    def close(self) -> None:
        """Close the window."""
        self.context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        page_itself = message.location.get("url", "").split("#")[0] == self.page.url.split("#")[0]
        if message.type not in ("error", "warning") or (
            page_itself and _STATUS.match(message.text)
        ):
            return
        self.troubles.append(f"{message.type}: {message.text} ({message.location})")

    def _asked(self, dialog: Any) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _answered(self, response: Response) -> None:
        if response.status >= 500 and response.status not in (503, 507):
            self.troubles.append(f"{response.status} of {response.url}")


def figure(locator: Locator) -> int:
    """Read a number as pages write it: 1,204 rows are 1204."""
    found = re.search(r"\d[\d,]*", locator.inner_text())
    assert found, locator.inner_text()
    return int(found[0].replace(",", ""))
