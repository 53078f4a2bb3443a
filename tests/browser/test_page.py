"""The page of `packtrain serve` over a loaded and trained voyage, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser_parts import LOOKS, chromium, scrolls_sideways, stops_by_tab, violations, watched
from command_parts import Site, copy_site, done, packtrain
from packtrain.units import format_bytes, format_seconds
from serve_parts import Serving, packtrain_process, serving
from watched_parts import HOSTILE, train, watched_voyage

expect.set_options(timeout=20_000)
pytestmark = [pytest.mark.slow, pytest.mark.needs_chromium, pytest.mark.timeout(200)]
# Every text that is seen, but for the scales of the charts.
TEXTS = """() => {
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT), texts = [];
  while (walker.nextNode()) {
    if (!walker.currentNode.parentElement.closest("svg")) texts.push(walker.currentNode.data);
  }
  return texts;
}"""
FOCUSABLE = "a[href], summary, [tabindex='0']"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def only_prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, only_prepared: Path) -> Site:
    return watched_voyage(tmp_path_factory.mktemp("watched"), only_prepared)


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[Serving]:
    with serving(site.home, site.hall, site.guest, options=["--pictures"]) as one:
        yield one


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_it_loads_clean_and_axe_finds_no_fault(browser: Browser, served: Serving, scheme: str, width: int) -> None:
    with watched(browser, scheme, width) as one:
        one.page.goto(served.url)
        expect(one.page.locator("h1")).to_have_text("tiny")
        assert violations(one.page) == []
        assert not scrolls_sideways(one.page)
        paper = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        pictures = one.page.evaluate("[...document.images].map((image) => image.naturalWidth)")
        assert len(pictures) == 12 and all(pictures)
        one.assert_clean()


def _shown(page: Page, selector: str) -> list[list[str]]:
    """Return the texts of the children of each element, as a person reads them."""
    return page.evaluate(
        "(selector) => [...document.querySelectorAll(selector)].map("
        "(element) => [...element.children].map((child) => child.innerText.trim()))",
        selector,
    )


def test_what_it_shows_is_what_status_says(browser: Browser, served: Serving, site: Site) -> None:
    status = done("status", site.home, site.hall, site.guest, "--json").document()
    with watched(browser) as one:
        one.page.goto(served.url)
        cards = {caption: value for value, caption in _shown(one.page, ".card")}
        drives = {label: caption for label, caption in _shown(one.page, ".cells li")}
        tables = {
            name: _shown(one.page, f"#{name} tbody tr")
            for name in ("stages", "groups", "attempts", "carried", "admission")
        }
        bars = one.page.evaluate("[...document.querySelectorAll('#time text')].map((text) => text.textContent)")
        text = " ".join(one.page.evaluate(TEXTS))
    counts = {stage: receipt["counts"] for party in status["parties"] for stage, receipt in party["stages"].items()}
    training = status["training"]
    assert cards == {
        "samples prepared": f"{counts['prepare']['samples_prepared']:,}",
        "samples loaded": f"{status['samples_loaded']:,}",
        "packed": format_bytes(counts["pack"]["bytes_packed"]),
        "on the drives": format_bytes(counts["pack"]["bytes_stored"]),
        "blocks repaired": f"{counts['load']['blocks_repaired']:,}",
        "volumes rebuilt": f"{counts['load']['volumes_rebuilt']:,}",
        "drives lost": f"{counts['load']['drives_lost']:,}",
        "restarts in training": f"{training['num_attempts'] - 1:,}",
        "loss, first to last": f"{training['loss_first']:.2f} → {training['loss_last']:.2f}",
    }
    assert drives == {drive["label"]: " ".join(drive["caption"].split()) for drive in status["drives"]}
    assert {drive["label"]: drive["state"] for drive in status["drives"]} == {
        "A1": "repaired", "A2": "read", "B1": "read", "B2": "lost",
    }  # fmt: skip
    assert [row[:3] for row in tables["stages"]] == [
        [party["role"], state["stage"], state["state"]] for party in status["parties"] for state in party["states"]
    ]
    assert [row[0] for row in tables["groups"]] == [
        f"{group['group']} ({group['k']} + {group['m']})" for group in status["groups"]
    ]
    assert [row[1] for row in tables["groups"]] == [f"{group['num_stripes']:,}" for group in status["groups"]]
    assert [[row[0], row[4]] for row in tables["attempts"]] == [
        [str(one["attempt"]), f"{one['num_redone']:,}"] for one in reversed(status["attempts"]["attempts"])
    ]
    assert [
        [kind["kind"], f"{kind['samples']:,}", format_bytes(kind["bytes"])] for kind in status["card"]["kinds"]
    ] == [row[:3] for row in tables["carried"]]
    assert [row[:2] for row in tables["admission"]] == [
        [check["check"], check["outcome"]] for check in status["admission"]["checks"]
    ]
    seconds = {stage: 0.0 for stage in counts}
    for party in status["parties"]:
        for stage, receipt in party["stages"].items():
            seconds[stage] += receipt["seconds"]
    assert sorted(bars) == sorted([*seconds, *(f"{value:.1f} s" for value in seconds.values())])
    # And no number stands on it, in any other place, that status does not tell.
    known = _numbers_of(status) | {*_tokens(format_seconds(sum(seconds.values())))}
    assert [token for token in _tokens(text.replace("SHA-256", "")) if token not in known] == []


def _tokens(text: str) -> list[str]:
    return [token.rstrip(".,") for token in re.findall(r"\d[\d,.]*", text)]


def _numbers_of(value: Any) -> set[str]:
    """Return every number of a document, in each of the ways in which people write it, and those of its texts."""
    found: set[str] = set()
    if isinstance(value, dict):
        for name, inner in value.items():
            found |= _numbers_of(name) | _numbers_of(inner)
        found.add(str(len(value)))
    elif isinstance(value, list):
        found.add(str(len(value)))
        for inner in value:
            found |= _numbers_of(inner)
    elif isinstance(value, str):
        found |= {*_tokens(value), *_tokens(value[:16].replace("T", " "))}
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # The forecast counts in days.
        times = (format_seconds(value), format_seconds(value * 86_400))
        for shown in (
            str(value),
            f"{value:,}",
            f"{value:.2f}",
            f"{value:.2g}",
            f"{value * 100:.0f}",
            f"{value * 100:.1f}",
            *times,
        ):
            found |= {*_tokens(shown)}
        found |= {*_tokens(format_bytes(int(value)))}
    return found


def test_every_part_is_reached_by_tab_and_seen(browser: Browser, served: Serving) -> None:
    with watched(browser) as one:
        one.page.goto(served.url)
        stops = stops_by_tab(one.page)
        wanted = one.page.evaluate(
            f"[...document.querySelectorAll({FOCUSABLE!r})].map("
            "(element) => [...document.querySelectorAll('*')].indexOf(element))"
        )
        assert [stop["place"] for stop in stops] == wanted
        assert [stop for stop in stops if not (stop["outlined"] and stop["shown"])] == []
        assert stops[0]["text"] == "To the voyage"
        # The first stop leads past all that is the same on every visit.
        one.page.goto(served.url)
        one.page.keyboard.press("Tab")
        one.page.keyboard.press("Enter")
        assert one.page.evaluate("document.activeElement.id") == "content"
        one.assert_clean()


def test_it_is_whole_without_a_script(browser: Browser, served: Serving) -> None:
    with watched(browser, script=False) as one:
        one.page.goto(served.url)
        expect(one.page.locator(".cells li")).to_have_count(4)
        expect(one.page.locator("#training svg")).to_have_count(3)
        one.page.get_by_role("link", name="Refresh").click()
        expect(one.page.locator("h1")).to_have_text("tiny")
        one.assert_clean()


def test_hostile_words_are_text_and_no_script_of_elsewhere_runs(browser: Browser, served: Serving) -> None:
    with watched(browser) as one:
        one.page.goto(served.url)
        expect(one.page.locator("#attempts")).to_contain_text(HOSTILE)
        assert one.page.evaluate("document.scripts.length") == 1
        one.assert_clean()
        # Even if a hole let markup in, the policy lets none of it run, nothing in, and nothing out.
        one.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.hacked = true";
              document.body.append(script);
              const image = document.createElement("img");
              image.src = "http://127.0.0.2:1/leak";
              image.setAttribute("onerror", "window.hacked = true");
              document.body.append(image);
              const style = document.createElement("style");
              style.textContent = "body { display: none }";
              document.head.append(style);
              const form = document.createElement("form");
              form.action = "/status.json";
              document.body.append(form);
              form.submit();
            }"""
        )
        one.page.wait_for_timeout(200)
        assert one.page.evaluate("[window.hacked === undefined, getComputedStyle(document.body).display]") == [
            True, "block",
        ]  # fmt: skip
        assert one.page.url == served.url
        broken = [told for told in one.told if "Content Security Policy" in told]
        assert len(broken) >= 4, one.told


def test_another_page_can_neither_frame_nor_read_it(browser: Browser, served: Serving, tmp_path: Path) -> None:
    frame = tmp_path / "frame.html"
    frame.write_text(f'<iframe src="{served.url}"></iframe><script>fetch("{served.url}status.json").then('
                     '() => { document.title = "read" }, () => { document.title = "kept" })</script>')  # fmt: skip
    with watched(browser) as one:
        one.page.goto(frame.as_uri())
        expect(one.page).to_have_title("kept")
        assert len(one.page.frames) == 1 or "tiny" not in one.page.frames[1].content()


def test_steps_of_another_process_are_seen_and_the_person_is_left_alone(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    copy = copy_site(site, tmp_path / "copy")
    with serving(copy.home, copy.guest) as served, watched(browser) as one:
        one.page.goto(served.url)
        expect(one.page.get_by_label("Loss by step")).to_have_count(0)
        one.page.evaluate("window.same = true; document.querySelector('#custody').scrollIntoView()")
        link = one.page.locator("#training .drawing").first
        link.focus()
        before = one.page.evaluate("scrollY")
        card = one.page.locator(".card", has_text="loss, first to last").locator("b")
        shown = card.inner_text()
        train(copy.guest, 500, since=400)
        expect(card).not_to_have_text(shown)
        told = served.read("/status.json")["training"]
        assert told["last_step"] == 499
        expect(card).to_have_text(f"{told['loss_first']:.2f} → {told['loss_last']:.2f}")
        # It is the same page, no other one; what had the focus has it, in the part that is new, and nothing jumped.
        assert one.page.evaluate("window.same")
        assert one.page.evaluate("document.activeElement.matches('#training .drawing')")
        assert abs(one.page.evaluate("scrollY") - before) < 5
        one.assert_clean()


@pytest.mark.usefixtures("site")
def test_a_stage_of_another_process_is_seen_to_end_and_nothing_but_its_work_is_said(
    browser: Browser, only_prepared: Path
) -> None:
    site = Site(only_prepared)
    with serving(site.home) as served, watched(browser) as one:
        one.page.goto(served.url)
        said = one.page.locator("#said")
        expect(said).to_have_text("Nothing is at work now.")
        assert said.get_attribute("aria-live") == "polite"
        packed = one.page.locator("#stages tr:has(td:nth-child(2):text-is('pack')) td:nth-child(3)")
        done("plan", site.home)
        expect(one.page.locator(".cells li")).to_have_count(4)
        lines = one.page.evaluate_handle(
            """() => {
              const lines = [];
              new MutationObserver(() => lines.push(document.getElementById("said").textContent)).observe(
                document.getElementById("said"), { childList: true, characterData: true, subtree: true });
              return lines;
            }"""
        )
        process = packtrain_process("pack", site.home)
        expect(packed).to_have_text("done")
        assert process.wait(timeout=60) == 0
        process.communicate()
        expect(said).to_have_text("Nothing is at work now.")
        assert all(line.startswith(("At work: pack", "Nothing")) for line in lines.json_value())
        one.assert_clean()


def test_the_address_with_the_token_opens_it_and_the_token_leaves_the_address(browser: Browser, site: Site) -> None:
    token = "Chosen-by-a-person-1234"
    with watched(browser) as one:
        with serving(site.guest, PACKTRAIN_SERVE_TOKEN=token) as served:
            port, bare = served.port, served.url.partition("?")[0]
            assert served.url == f"{bare}?token={token}"
            with watched(browser) as other:
                for address in (bare, f"{bare}?token={'x' * 32}"):
                    answer = other.page.goto(address)
                    assert answer is not None and answer.status == 403
                    assert "tiny" not in other.page.content()
            one.page.goto(served.url)
            expect(one.page.locator("h1")).to_have_text("tiny")
            assert one.page.url == bare
            (cookie,) = one.page.context.cookies()
            assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
            assert one.page.evaluate("document.cookie") == ""
            assert token not in one.page.content()
            with one.page.expect_response("**/watch.json") as looked:
                pass
            assert looked.value.status == 200
            one.assert_clean()
        # The server ended: that is told, and what was shown stays. Another run of it knows this browser no more.
        state = one.page.locator("#state")
        expect(state).to_have_text("The server does not answer. What is shown may be old.")
        with serving(site.guest, options=["--port", port], PACKTRAIN_SERVE_TOKEN=token) as served:
            expect(state).to_contain_text("needs the address with the token")
            expect(one.page.locator("h1")).to_have_text("tiny")
            one.page.goto(served.url)
            expect(state).to_have_text("")


def test_a_tab_that_nobody_sees_asks_for_nothing(browser: Browser, served: Serving) -> None:
    with watched(browser) as one:
        one.page.goto(served.url)
        with one.page.expect_response("**/watch.json"):
            pass
        one.page.evaluate(
            """() => { Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
                       document.dispatchEvent(new Event("visibilitychange")); }"""
        )
        one.page.wait_for_timeout(100)
        before = len(one.asked)
        time.sleep(1.3)
        one.page.wait_for_timeout(10)
        assert len(one.asked) == before
        one.page.evaluate(
            """() => { Object.defineProperty(document, "hidden", { get: () => false, configurable: true });
                       document.dispatchEvent(new Event("visibilitychange")); }"""
        )
        with one.page.expect_response("**/watch.json"):
            pass


@pytest.fixture(scope="module")
def pages(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return every kind of HTML file that packtrain writes, by name."""
    root = tmp_path_factory.mktemp("pages")
    copy = copy_site(site, root / "voyage")
    done("report", site.home, site.hall, site.guest, "--into", root / "report.html", "--pictures")
    done("look", copy.home, "--out", root / "look.html")
    done("papers", copy.home, "--into", root / "papers")
    done("drives", "labels", copy.home, "--out", root / "labels.html")
    packtrain("audit", copy.home, "--html", root / "audit.html")
    papers = {f"papers/{path.name}": path for path in (root / "papers").glob("*.html")}
    assert len(papers) >= 3
    return {path.stem: path for path in root.glob("*.html")} | papers


def test_every_page_that_is_written_is_clean_too(browser: Browser, pages: dict[str, Path]) -> None:
    assert {"report", "look", "labels", "audit"} <= set(pages)
    faults: dict[str, list[str]] = {}
    for scheme, width in LOOKS:
        with watched(browser, scheme, width) as one:
            # Papers and labels are as wide as the sheet they are printed on, and as white.
            for name in pages if scheme == "light" and width == 1280 else ("report", "look", "audit"):
                one.page.goto(pages[name].as_uri())
                found: list[str] = []
                if width == 1280:  # by night the colours are others, and nothing else is
                    found += violations(one.page, *(("color-contrast",) if scheme == "dark" else ()))
                elif scrolls_sideways(one.page):
                    found.append("it scrolls sideways")
                if found:
                    faults[f"{name}, {scheme}, {width}"] = found
            one.assert_clean()
    assert faults == {}


def test_the_report_shows_what_the_live_page_shows(browser: Browser, served: Serving, pages: dict[str, Path]) -> None:
    shown: list[dict[str, str]] = []
    for address in (served.url, pages["report"].as_uri()):
        with watched(browser) as one:
            one.page.goto(address)
            shown.append(
                one.page.evaluate(
                    "() => Object.fromEntries([...document.querySelectorAll('section[id]')].map("
                    "(section) => [section.id, section.innerText]))"
                )
            )
    assert shown[0] == shown[1]
    assert len(shown[0]) >= 12
