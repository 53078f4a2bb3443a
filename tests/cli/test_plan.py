"""plan: send or carry, from flags alone and from a voyage folder."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from command_parts import Site, copy_site, done, edit, packtrain, refusal
from days import today
from packtrain.documents.codec import encode
from packtrain.documents.measurement import Measurement
from sample_documents import samples

ASKED = (
    *("plan", "--bytes", "80TB", "--drives", "60", "--cases", "4", "--bays", "8"),
    *("--link", "200Mbit/s", "--survive-cases", "1"),
)
SMALL = ("plan", "--bytes", "1GB", "--drives", "3", "--cases", "3")


@pytest.fixture
def home(at_home: Site, tmp_path: Path) -> Site:
    return copy_site(at_home, tmp_path)


def test_the_answer_names_what_people_script_against() -> None:
    found = done(*ASKED, "--json").document()
    assert found["send"]["days"] == pytest.approx(80e12 * 8 / 200e6 / 86400)
    assert 0 < found["carry"]["days"] < found["send"]["days"]
    assert found["code"] == {"k": 6, "m": 2}
    assert found["raw_bytes"] == -(-80 * 10**12 * 60 // 45)
    assert found["survives"].startswith("any one case")
    assert 0 < found["loss_probability"] < 0.01
    assert found["loss"]["method"] == "exact"
    assert found["waves"] == 8
    assert found["bottleneck"] == "hand over, travel, admit: people"
    assert {step["limit"] for step in found["carry"]["steps"]} == {"bays", "people"}


def test_dates_are_counted_from_the_first_day() -> None:
    found = done(*ASKED, "--start", "2027-01-30", "--prepare", "7", "--json").document()
    assert found["start"] == "2027-01-30"
    assert [step["start"] for step in found["carry"]["steps"]][:2] == ["2027-01-30", "2027-02-06"]
    text = done(*SMALL).stdout
    assert f"{today() + timedelta(days=2):%d %b}" in text


def test_the_time_home_and_the_cost_stand_in_the_answer() -> None:
    prices = ("--price", "drive=60", "--price", "link-month=100", "--currency", "EUR")
    found = done(*ASKED, "--train", "10..20", "--results", "500GB", *prices, "--json").document()
    assert [step["name"] for step in found["carry"]["steps"]][-2:] == ["train", "return"]
    assert found["carry"]["done_days"] > found["carry"]["days"] + 15
    assert found["carry"]["cost"]["total"] == 60 * 60 + 100
    assert found["send"]["cost"]["unpriced"] == []
    told = done(*ASKED, "--train", "10..20", "--results", "500GB", *prices).stdout
    assert "home in 90 of 100" in told
    assert "3,700 EUR (without cases, carriers, shipments)" in told


def test_a_folder_is_counted_without_following_links(tmp_path: Path) -> None:
    inner = tmp_path / "data" / "inner"
    inner.mkdir(parents=True)
    (inner / "one").write_bytes(b"x" * 1000)
    (inner / "two").write_bytes(b"x" * 500)
    (inner / "link").symlink_to(tmp_path)
    (inner / "again").hardlink_to(inner / "one")
    found = done("plan", "--folder", tmp_path / "data", "--drives", "2", "--json").document()
    assert found["total_bytes"] == 1500


def test_what_goes_together_and_a_bad_batch_make_a_loss_likelier() -> None:
    apart = done(*ASKED, "--json").document()
    together = done(*ASKED, "--cases-together", "2", "--json").document()
    batch = done(*ASKED, "--bad-batch", "1%", "--json").document()
    assert together["loss_probability"] > apart["loss_probability"]
    assert batch["loss_probability"] > apart["loss_probability"]
    assert [figure["origin"] for figure in batch["assumed"] if figure["name"] == "batch"] == ["given"]


def test_thirty_cases_say_that_lots_were_drawn_and_how_sure_that_is() -> None:
    many = (*ASKED[:6], "30", *ASKED[7:])
    found = done(*many, "--json").document()
    assert found["loss"]["method"] == "drawn"
    assert found["loss"]["low"] <= found["loss"]["probability"] <= found["loss"]["high"]
    assert re.search(r"odds of loss +1 in \d+ \(drawn; 95%: 0\.\d+ to 0\.\d+\)", done(*many).stdout)


def test_what_was_asked_and_the_odds_are_told_as_they_were_written() -> None:
    told = done(*ASKED, "--load-bays", "4", "--load-hosts", "2", "--yearly-failure", "1.25%").stdout
    assert told.splitlines()[1] == (
        "on 60 drives in 4 cases, 8 bays at home and 2 times 4 at the site, a link of 200 Mbit/s"
    )
    assert "1.25% of drives fail in a year, 0.5% more on the way" in told


def test_drives_that_are_too_small_are_told_beside_the_days_with_what_would_do(tmp_path: Path) -> None:
    told = done(*ASKED, "--drive-size", "1TB", "--into", tmp_path / "plan.html").stdout
    needed = "THE DRIVES ARE TOO SMALL: each must hold 1.81 TB, or there must be more of them."
    assert needed in told.partition("carrying, step by step")[0]
    assert needed in (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert "TOO SMALL:" not in done(*ASKED, "--drive-size", "4TB").stdout


def test_no_line_for_a_terminal_is_longer_than_a_hundred_columns() -> None:
    told = done(*ASKED, "--prepare", "56..63", "--customs", "1", "--train", "30", "--results", "1TB").stdout
    assert max(map(len, told.splitlines())) <= 100


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--bytes", "0", "--drives", "1"), "nothing to send or to carry"),
        (("--bytes", "9999999PB", "--drives", "1"), "at most 1,000 PB"),
        (("--bytes", "lots", "--drives", "1"), "not a size in bytes"),
        (("--bytes", "1GB"), "needs --drives"),
        (("--bytes", "1GB", "--folder", ".", "--drives", "1"), "give one of them"),
        (("--bytes", "1GB", "--drives", "2", "--cases", "3"), "no more cases than drives"),
        (("--bytes", "1GB", "--drives", "1", "--link", "0"), "a rate must be at least 1"),
        (("--bytes", "1GB", "--drives", "1", "--link", "999999999Tbit/s"), "at most 10^15"),
        (("--bytes", "1GB", "--drives", "1", "--link", "fast"), "not a rate in bits"),
        (("--bytes", "1GB", "--drives", "1", "--link", "200"), "200 bits a second? Write the unit too"),
        (("--bytes", "1GB", "--drives", "1", "--link-free", "0%"), "free part of the link"),
        (("--bytes", "1GB", "--drives", "1", "--link-free", "nan"), "not a part of 1"),
        (("--bytes", "1GB", "--drives", "1", "--drive-rate", "fast"), "not a rate in bytes"),
        (("--bytes", "1GB", "--drives", "1", "--drive-rate", "180"), "180 bytes a second? Write the unit too"),
        (("--folder", "data"), "--folder needs --drives"),
        (("--bytes", "1GB", "--drives", "1", "--yearly-failure", "100%"), "a risk is a part of 1"),
        (("--bytes", "1GB", "--drives", "1", "--batch-factor", "nan"), "1 to 1000"),
        (("--bytes", "1GB", "--drives", "1", "--leg", "=3"), "not a leg"),
        (("--bytes", "1GB", "--drives", "1", "--leg", "\x1b[2Jx=3"), "not the name of a leg"),
        (("--bytes", "1GB", "--drives", "1", "--customs", "7..1"), "not in order"),
        (("--bytes", "1GB", "--drives", "1", "--train", "999999"), "more than a hundred years"),
        (("--bytes", "1GB", "--drives", "1", "--price", "fuel=3"), "prices are of drive, case"),
        (("--bytes", "1GB", "--drives", "1", "--price", "drive=3", "--price", "drive=4"), "given twice"),
        (("--bytes", "1GB", "--drives", "1", "--results", "1GB", "--results-by", "link"), "must be a link"),
        (("--bytes", "1GB", "--drives", "1", "--into", "nowhere/plan.html"), "in a folder that is there"),
        (("--bytes", "1GB", "--drives", "1", "--into", "/dev/full"), "names the file to write"),
        (("--link", "1Gbit/s"), "voyage.toml under [forecast]"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_message(given: tuple[str, ...], told: str) -> None:
    ran = packtrain("plan", *given)
    assert ran.exit_code == 2
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr


def test_whoever_has_no_voyage_yet_is_told_how_to_ask(tmp_path: Path) -> None:
    assert "packtrain plan --bytes" in refusal(packtrain("plan", tmp_path, "--json"), 11)["hint"]


def test_what_no_drives_survive_is_refused_with_a_hint() -> None:
    ran = packtrain("plan", "--bytes", "1GB", "--drives", "2", "--survive-cases", "1", "--json")
    assert ran.exit_code == 36
    assert ran.document()["hint"] == "spread the drives over at least 2 cases, or ask to survive fewer"


def test_a_link_so_slow_that_no_calendar_holds_it_is_told_in_years() -> None:
    assert "years)" in done(*SMALL, "--link", "1bit/s").stdout
    told = done("plan", "--bytes", "80TB", "--drives", "3", "--cases", "3", "--link", "1bit/s").stdout
    assert re.search(r"there in 10 of 100 .* 2\d,\d{3},\d{3} years", told)


def test_a_thousand_cases_and_one_drive_are_both_answered() -> None:
    many = done("plan", "--bytes", "1PB", "--drives", "1000", "--cases", "1000", "--json").document()
    assert many["code"] == {"k": 7, "m": 1}
    one = done("plan", "--bytes", "1TB", "--drives", "1", "--json").document()
    assert one["survives"] == "no loss at all; 1 drive of a group is NOT survivable; one case is NOT survivable"
    assert one["loss_probability_after_one_case"] == 1


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_holds_the_figures_and_reaches_nothing(tmp_path: Path) -> None:
    page = tmp_path / "plan.html"
    found = done(*ASKED, "--leg", "<b>flight</b>=1..2", "--start", "2027-01-30", "--into", page, "--json").document()
    assert found["page"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert "<b>flight</b>" not in text
    assert "&lt;b&gt;flight&lt;/b&gt;" in text
    assert not re.search(r"(src|href)=|@import|url\(|<script", text)
    drawings = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL)]
    assert len(drawings) == 3
    for drawing in drawings:
        assert drawing.attrib["role"] == "img"
        assert len(drawing.attrib["aria-label"]) > 40
    assert "107 TB" in text
    first = page.read_bytes()
    done(*ASKED, "--leg", "<b>flight</b>=1..2", "--start", "2027-01-30", "--into", page)
    assert page.read_bytes() == first


def test_the_page_of_both_ways_is_drawn_without_a_link_too(tmp_path: Path) -> None:
    done(*SMALL, "--into", tmp_path / "plan.html")
    assert "no link given" in (tmp_path / "plan.html").read_text(encoding="utf-8")


# --- in a voyage folder ---------------------------------------------------------------------------------------------


def forecast_of(home: Site) -> dict[str, object]:
    return json.loads((home.home / "documents" / "forecast.json").read_bytes())


def test_a_voyage_is_forecast_from_its_drives_and_its_own_words(home: Site, tmp_path: Path) -> None:
    with (home.home / "voyage.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[forecast]\nstart = "2027-01-30"\nlink = "10 Mbit/s"\nlegs = ["flight=1..2"]\ncustoms = "0..1..7"\n'
            'train = "3"\nresults = "1 GB"\n[forecast.prices]\ndrive = 60\ncurrency = "EUR"\n'
        )
    ran = done("plan", home.home, "--json", "--into", tmp_path / "plan.html").document()
    assert ran["stage"] == "plan"
    found = ran["forecast"]
    names = [step["name"] for step in found["carry"]["steps"]]
    assert names == ["pack", "flight", "customs", "load", "train", "return"]
    assert found["carry"]["cost"]["total"] == 4 * 60
    assert (tmp_path / "plan.html").is_file()
    kept = forecast_of(home)
    assert kept["start"] == "2027-01-30"
    assert kept["num_drives"] == 4
    assert kept["bytes_from"] == "dataset.json"


def test_a_changed_price_packs_nothing_anew_and_what_was_expected_stays(home: Site) -> None:
    done("plan", home.home)
    done("pack", home.home)
    before = (home.home / "documents" / "forecast.json").read_bytes()
    with (home.home / "voyage.toml").open("a", encoding="utf-8") as file:
        file.write('\n[forecast]\nlink = "10 Mbit/s"\n')
    ran = done("plan", home.home)
    assert "forecast.json stays as it was when packing began" in ran.stdout
    assert "up to date" in ran.stderr
    assert (home.home / "documents" / "forecast.json").read_bytes() == before
    states = {row["stage"]: row["state"] for row in done("status", home.home, "--json").document()["stages"]}
    assert states["plan"] == "done"
    assert states["pack"] == "done"
    (home.home / "documents" / "forecast.json").unlink()
    assert "forecast.json is not written: there was none when packing began" in done("plan", home.home).stdout
    assert not (home.home / "documents" / "forecast.json").exists()


def test_a_word_that_is_none_is_told_with_its_field(home: Site) -> None:
    with (home.home / "voyage.toml").open("a", encoding="utf-8") as file:
        file.write('\n[forecast]\nlink = "fast"\n')
    document = refusal(packtrain("plan", home.home, "--json"), 10)
    assert document["what"].startswith("[forecast] link: not a rate in bits a second: 'fast'")
    edit(home.home / "voyage.toml", 'link = "fast"', "linc = 3")
    assert 'did you mean "link"?' in refusal(packtrain("plan", home.home, "--json"), 10)["hint"]


def test_what_was_measured_is_said_to_be(home: Site) -> None:
    (home.home / "documents").mkdir(exist_ok=True)
    measurement = samples()[Measurement]
    (home.home / "documents" / "measurement.json").write_bytes(encode(measurement))
    found = done("plan", home.home, "--json").document()["forecast"]
    figures = {figure["name"]: figure for figure in found["assumed"]}
    assert figures["drive rate"]["origin"] == "measured"
    assert "2026-11-21" in figures["drive rate"]["measured"]
    assert figures["swap"]["origin"] == "assumed"


def test_a_measurement_is_taken_without_a_voyage_too_and_what_is_given_goes_before_it(tmp_path: Path) -> None:
    measurement = samples()[Measurement]
    assert isinstance(measurement, Measurement)
    rate = measurement.write_rate_in_wave()
    assert rate is not None
    file = tmp_path / "measurement.json"
    file.write_bytes(encode(measurement))
    found = done(*ASKED, "--measured", file, "--json").document()
    origin = {figure["name"]: figure["origin"] for figure in found["assumed"]}
    assert (origin["drive rate"], origin["cores"]) == ("measured", "measured")
    given = done(*ASKED, "--measured", file, "--drive-rate", "100MB/s", "--json").document()
    assert {figure["name"]: figure["origin"] for figure in given["assumed"]}["drive rate"] == "given"
    assert given["carry"]["steps"][0]["days"] != found["carry"]["steps"][0]["days"]
    missing = packtrain(*ASKED, "--measured", tmp_path / "none.json")
    assert missing.exit_code != 0
    assert "measure --into FILE" in missing.stderr
