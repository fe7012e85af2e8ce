"""`python -m tests.portal.pictures`: the pictures of docs/img, of the demo as it stands in this home.

Run `make demo` first, look at what comes out, then commit it.
"""

from pathlib import Path

import click
from PIL import Image

from minhu import services
from minhu.demo import PERIOD, PUBLISHED
from minhu.errors import Refused
from minhu.settings import PROJECT_ROOT, Settings
from tests.portal.test_browser import CHROMIUM

SCHEME = "linan"
WIDTH = 1280
PAGES = (
    ("kaoping", "/", "home"),
    ("kaoping", "/live", "live"),
    ("kaoping", f"/scores/{SCHEME}/{PUBLISHED}", "scores"),
    ("kaoping", f"/scores/{SCHEME}/{PERIOD}?draft=1", "draft"),
    ("danwei", "/units", "unit"),
    ("kaoping", "/inbox", "inbox"),
    ("kaoping", "/jobs", "jobs"),
    ("kaoping", "/schemes", "schemes"),
    ("shenji", "/feeds", "feeds"),
    ("shenji", "/quality", "quality"),
    ("shenji", "/audit", "audit"),
    ("shenji", "/people", "people"),
    ("shenji", "/api/docs", "api"),
    ("fenxi", "/help", "help"),
)
TALLEST = 1500
"""Pixels: what stands below is cut off."""


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=PROJECT_ROOT / "docs" / "img", show_default=True)
def main(out: Path) -> None:
    """Take a picture of each page, signed in as the demo's people; and of a case that cost a unit points."""
    from playwright.sync_api import sync_playwright

    settings = Settings.from_env()
    address = services.portal_url(settings)
    if address is None:
        raise Refused("this home serves no pages: run `make demo`, or `minhu up`")
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        for login in dict.fromkeys(one for one, _, _ in PAGES):
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, locale="zh-CN")
            page.goto(f"{address}/login")
            page.fill("#name", login)
            page.fill("#password", settings.secret(f"demo-{login}")[:20])
            page.click("main button")
            page.wait_for_url(f"{address}/")
            for who, path, name in PAGES:
                if who == login:
                    page.goto(address + path)
                    _take(page, out / f"{name}.png")
            if login == "danwei":
                page.goto(f"{address}/units")
                page.goto(address + page.get_attribute("a[href^='/cases/']", "href"))
                _take(page, out / "case.png")
        browser.close()


def _take(page, file: Path) -> None:  # type: ignore[no-untyped-def]
    page.screenshot(path=file, full_page=True)
    with Image.open(file) as image:
        cut = image.crop((0, 0, image.width, min(image.height, TALLEST)))
        cut.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(file, optimize=True)
    click.echo(f"{file.name}  {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
