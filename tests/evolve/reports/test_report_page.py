"""The report in a real browser: no errors, and what a person would do with it. Skipped where there is no Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolve.api import Dataset
from evolve.recipe.stored import stored_recipe
from evolve.reports.html import write_report
from evolve.run import Run
from fake_runs import Made, fake_recipe, make, prompt, write_source

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its driver (Debian: chromium, chromium-driver)"
)
ACTS = "<img src=x onerror=\"document.title='acted'\"></script><script>document.title='acted'</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    folder = tmp_path_factory.mktemp("report")
    source = write_source(folder / "prompts.jsonl", [f"{prompt(i)} {ACTS}" for i in range(30)])
    made = make(fake_recipe(source), folder / "run")
    run = Run(stored_recipe(made.run, 1, {}), made.run, view_only=True)
    write_report(run, made.outcome, Dataset(made.folder), folder / "report.html")
    run.pool.close()
    return made, folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, report: tuple[Made, Path]) -> Any:
    browser.set_window_size(1280, 1000)
    browser.get(report[1].as_uri())
    return browser


def choose(page: Any, control: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(page.find_element("id", control)).select_by_value(value)


def texts(page: Any, selector: str) -> list[str]:
    return [one.text for one in page.find_elements("css selector", selector)]


def test_it_opens_without_an_error_and_no_text_acts(page: Any) -> None:
    assert page.get_log("browser") == []
    assert page.title == "fake, iteration 1"
    assert "document.title='acted'" in page.find_element("id", "story").text, "it is shown as text"
    assert len(page.find_elements("css selector", "canvas")) == 6


def test_the_slider_of_alpha_changes_what_is_selected(page: Any, report: tuple[Made, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    made, _ = report
    k = len(made.selected)
    shared = page.find_element("id", "shared")
    assert f"{k} pairs; {k} of them" in shared.text
    slider = page.find_element("id", "alpha")
    before = texts(page, "#selected-table td.n")
    slider.send_keys(Keys.END)
    assert page.find_element("id", "alpha-value").text == "25"
    assert f"{k} pairs; {k} of them" not in shared.text
    page.find_element("css selector", "#margins summary").click()
    assert texts(page, "#selected-table td.n") != before
    choose(page, "metric", "eva")
    assert not page.find_element("id", "alpha-label").is_displayed()
    assert page.get_log("browser") == []


def test_filters_and_keys_find_a_prompt(page: Any, report: tuple[Made, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    made, _ = report
    choose(page, "of-state", "selected")
    assert page.find_element("id", "found").text == f"{len(made.selected)} prompts"
    items = page.find_elements("css selector", "#list li")
    assert len(items) == len(made.selected)
    page.find_element("id", "list").send_keys(Keys.ARROW_DOWN)
    assert items[1].get_attribute("aria-selected") == "true"
    assert texts(page, ".response.chosen h4")[0].startswith("chosen, reward")
    first = made.selected["prompt"][0].as_py()[-1]["content"][:40]
    page.find_element("id", "search").send_keys(first)
    assert first in page.find_element("id", "story").text
    page.find_element("id", "search").send_keys(" nothing has this")
    assert "No prompt fits" in page.find_element("id", "story").text


def test_a_rewrite_leads_to_its_parent(page: Any, report: tuple[Made, Path]) -> None:
    choose(page, "of-state", "selected")
    link = page.find_element("css selector", "#story .link")
    parent = link.text
    link.click()
    assert parent in page.find_element("css selector", "#story .message .text").text


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_it_fits_the_screen_light_and_dark(page: Any, width: int, dark: bool, tmp_path: Path) -> None:
    """Nothing is wider than the screen but what scrolls in its own frame."""
    page.set_window_size(width, 900)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    if dark:
        page.find_element("id", "theme").click()
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    backdrop = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (backdrop == "rgb(21, 21, 23)") == dark
    picture = Path(os.environ.get("REPORT_PICTURES", tmp_path)) / f"report-{width}{'-dark' * dark}.png"
    assert page.save_screenshot(str(picture))
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
