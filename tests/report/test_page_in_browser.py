"""The report page in a real browser: players move, tables sort, links lead somewhere, no network is asked."""

import base64
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from made_report import FRAMES, event, make_report, make_video, picture, track

from mmdet.report.page import write_page

pytestmark = pytest.mark.browser

KINDS = {
    "one model": {},
    "two models": {"models": 2},
    "no truth": {"truth": False},
    "no training": {"training": False},
    "no videos": {"videos": 0},
}


def shown(page):
    """The video and the frame that the player has drawn."""
    return tuple(map(int, page.get_attribute("#player-box", "data-shown").split(":")))


def wait_for(page, video, frame):
    page.wait_for_selector(f'#player-box[data-shown="{video}:{frame}"]')


def until(page, is_so):
    """Wait until the page is as it should be: its policy lets no test evaluate texts while it waits."""
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end, "waited for ten seconds"
        page.wait_for_timeout(20)


def pixels(page, panel=0):
    return page.locator("#player-box canvas").nth(panel).evaluate("canvas => canvas.toDataURL()")


def column(page, table, index):
    return page.locator(f"#{table} tbody tr").evaluate_all(
        "(rows, index) => rows.map((row) => row.children[index].textContent)", index
    )


def titles(page):
    return page.locator(".enlarge").all_text_contents()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_opens_without_a_complaint_of_the_browser(visit, written, kind):
    page = visit(written(**KINDS[kind]), player=kind != "no videos")
    assert page.inner_text("h1") == "MemCNP on made-up videos"
    assert page.inner_text("footer") == "27 November 2026, memcnp-vis 1.0"


def test_the_first_screen_has_the_figures_and_the_worst_error_in_a_player(visit, written):
    page = visit(written())
    assert page.locator(".tile").first.inner_text().split() == ["AP", "31.2", "%"]
    assert page.locator(".tile", has_text="speed").inner_text().split() == ["speed", "23.4", "frames/s"]
    assert shown(page) == (3, 0)
    bottom = page.locator(".panels").evaluate("panels => panels.getBoundingClientRect().bottom")
    assert bottom < 800


def test_the_panels_are_truth_prediction_and_errors(visit, written):
    page = visit(written())
    assert titles(page) == ["Truth", "Prediction", "Errors"]
    assert len({pixels(page, panel) for panel in range(3)}) == 3


def test_the_slider_moves_all_panels(visit, written):
    page = visit(written())
    before = [pixels(page, panel) for panel in range(3)]
    page.locator("#player-box input[type=range]").fill("8")
    wait_for(page, 3, 8)
    assert all(pixels(page, panel) != before[panel] for panel in range(3))
    assert page.get_attribute("#player-box input[type=range]", "aria-valuetext") == f"frame 8 of 0 to {FRAMES - 1}"


def test_arrow_keys_go_through_frames_and_videos(visit, written):
    page = visit(written())
    page.focus("#player-box")
    page.keyboard.press("ArrowRight")
    wait_for(page, 3, 1)
    page.keyboard.press("ArrowLeft")
    wait_for(page, 3, 0)
    page.keyboard.press("ArrowLeft")  # there is none before the first
    wait_for(page, 3, 0)
    page.keyboard.press("ArrowUp")
    wait_for(page, 2, 0)
    page.keyboard.press("ArrowDown")
    wait_for(page, 3, 0)


def test_left_and_right_work_where_nothing_has_the_focus(visit, written):
    page = visit(written())
    page.keyboard.press("ArrowRight")
    wait_for(page, 3, 1)


def test_a_video_plays_until_it_is_paused(visit, written):
    page = visit(written())
    page.click(".play")
    assert page.inner_text(".play") == "Pause"
    until(page, lambda: shown(page)[1] >= 3)
    page.click(".play")
    frame = shown(page)
    page.wait_for_timeout(250)
    assert shown(page) == frame


def test_space_plays_and_a_key_goes_to_the_next_error(visit, written):
    page = visit(written())
    page.focus("#player-box")
    page.keyboard.press("e")
    wait_for(page, 3, 2)
    page.keyboard.press("Space")
    until(page, lambda: shown(page)[1] >= 4)
    page.keyboard.press("Space")
    assert page.inner_text(".play") == "Play"


def named_errors(page):
    return page.locator(".now li").evaluate_all("items => items.map((item) => item.lastChild.textContent)")


def test_the_errors_of_the_frame_stand_below_it_the_worst_first(visit, written):
    page = visit(written(), "#video=1&frame=4")
    assert named_errors(page) == ["cross 3 is taken for ring", "ring 1 is missed", "track 4 (cross) is false"]


def test_an_error_is_shown_where_its_object_is_seen(visit, tmp_path):
    video = make_video(0)
    hidden_for_a_while = track(1, 0, [0, 1, 2, 6, 7], "ring")
    model = replace(video.models[0], events=[event("missed", 1, 7, 0, None, 0.1, "ring 1 is missed")])
    video = replace(video, truth=[hidden_for_a_while], models=[model])
    write_page(replace(make_report(videos=1), videos=[video]), tmp_path / "page.html")
    page = visit(tmp_path / "page.html", "#video=0&frame=2")
    assert named_errors(page) == ["ring 1 is missed"]
    page.keyboard.press("ArrowRight")
    wait_for(page, 0, 3)
    assert named_errors(page) == []
    missed = page.locator(".timeline .error.missed")
    widths = [part.evaluate("part => parseFloat(part.style.width)") / 100 * FRAMES for part in missed.all()]
    assert widths == pytest.approx([2, 2], abs=0.01)  # frames 1 to 2 and 6 to 7


def test_of_many_errors_the_worst_are_named_and_the_others_counted(visit, tmp_path):
    video = make_video(0)
    events = [event("missed", 0, 3, 0, None, weight, f"error {weight}") for weight in range(12)]
    crowded = replace(video, models=[replace(video.models[0], events=events)])
    write_page(replace(make_report(videos=1), videos=[crowded]), tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    assert named_errors(page) == [f"error {weight}" for weight in range(11, 3, -1)] + ["and 4 more"]


@pytest.mark.parametrize("name", ["masks", "outlines", "tags"])
def test_what_is_drawn_can_be_left_out(visit, written, name):
    page = visit(written())
    before = pixels(page)
    page.get_by_label(name, exact=True).uncheck()
    assert pixels(page) != before
    page.get_by_label(name, exact=True).check()
    assert pixels(page) == before


def test_a_panel_can_be_shown_alone(visit, written):
    page = visit(written())
    width = page.locator("canvas").nth(2).evaluate("canvas => canvas.clientWidth")
    page.get_by_role("button", name="Errors", exact=True).click()
    assert [canvas.is_visible() for canvas in page.locator("canvas").all()] == [False, False, True]
    until(page, lambda: page.locator("canvas").nth(2).evaluate("canvas => canvas.width") > 1.5 * width)
    page.focus("#player-box")
    page.keyboard.press("ArrowUp")
    wait_for(page, 2, 0)
    assert [canvas.is_visible() for canvas in page.locator("canvas").all()] == [False, False, True]
    page.get_by_role("button", name="Errors", exact=True).click()
    assert all(canvas.is_visible() for canvas in page.locator("canvas").all())


def test_videos_sort_by_each_column_and_the_heading_says_how(visit, written):
    page = visit(written())
    assert column(page, "video-table", 1) == ["11.0", "22.0", "48.0", "–"]
    heading = page.locator("#video-table th", has_text="AP")
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert column(page, "video-table", 1) == ["48.0", "22.0", "11.0", "–"]
    assert heading.get_attribute("aria-sort") == "descending"
    for index, name in enumerate(["video", "AP", "HOTA", "switches", "missed", "false", "objects", "tracks", "frames"]):
        page.locator("#video-table th[scope=col]").nth(index).get_by_role("button", name=name).click()
        assert page.locator("#video-table th[aria-sort]:not([aria-sort=none])").all_text_contents() == [name]


def test_tables_sort_by_the_keyboard(visit, written):
    page = visit(written())
    page.locator("#class-table th", has_text="class").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert column(page, "class-table", 0) == ["cross", "ring", "star"]
    page.keyboard.press("Space")
    assert column(page, "class-table", 0) == ["star", "ring", "cross"]


def test_the_name_of_a_video_opens_its_worst_error(visit, written):
    page = visit(written())
    page.click("#video-table >> text=video_1")
    wait_for(page, 1, 0)
    assert page.evaluate("document.activeElement.id") == "player-box"


def test_the_ten_worst_errors_come_first_and_open_the_player(visit, written):
    page = visit(written())
    items = page.locator("#worst-list li")
    assert items.count() == 10
    assert items.nth(0).inner_text() == "C\ncross 3 is taken for ring\nvideo_3 · frames 0–11"
    items.nth(2).get_by_role("link").click()
    wait_for(page, 3, 3)


def test_a_link_followed_twice_leads_back_each_time(visit, written):
    page = visit(written())
    link = page.locator("#worst-list a").nth(2)
    link.click()
    wait_for(page, 3, 3)
    page.click(".play")
    until(page, lambda: shown(page)[1] > 4)
    link.click()
    wait_for(page, 3, 3)
    assert page.inner_text(".play") == "Play"


def test_errors_can_be_shown_by_kind(visit, written):
    page = visit(written())
    button = page.locator(".kinds button", has_text="switched")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert {text.split("\n")[1] for text in page.locator("#worst-list li").all_inner_texts()} == {
        "star 2 becomes track 7"
    }
    button.click()
    assert page.locator("#worst-list li").count() == 10


def test_an_address_opens_a_video_at_a_frame_and_follows_the_player(visit, written):
    page = visit(written(), "#video=2&frame=5")
    wait_for(page, 2, 5)
    page.keyboard.press("ArrowRight")
    until(page, lambda: page.evaluate("location.hash") == "#video=2&frame=6")
    page.evaluate("location.hash = '#video=0&frame=7'")
    wait_for(page, 0, 7)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("#video=1&frame=999", (1, FRAMES - 1)),
        ("#video=99&frame=1", (3, 0)),
        ("#video=1&frame=x", (1, 0)),
        ("#videos", (3, 0)),
    ],
)
def test_an_address_that_asks_for_too_much_opens_what_there_is(visit, written, address, expected):
    assert shown(visit(written(), address)) == expected


def test_a_click_on_the_timeline_goes_to_the_frame(visit, written):
    page = visit(written())
    strip = page.locator(".timeline .tracks .strip").nth(4)
    box = strip.bounding_box()
    strip.click(position={"x": box["width"] * 7.5 / FRAMES, "y": 5})
    wait_for(page, 3, 7)


def test_the_timeline_shows_gaps_switches_and_what_is_missed(visit, written):
    page = visit(written())
    assert page.locator(".timeline h4").all_text_contents() == ["Truth", "Prediction"]
    rows = page.locator(".timeline .tracks .row")
    assert rows.count() == 3 + 5
    gapped = rows.filter(has_text="0 ring")
    assert gapped.locator(".run").count() == 2
    assert gapped.locator(".gap").count() == 1
    assert rows.filter(has_text="1 ring").locator(".error.missed").count() == 1
    assert rows.filter(has_text="7 star").locator(".error.switched").count() == 1
    assert "in frames 0–2, frames 6–11" in gapped.get_by_role("button").get_attribute("title")


def test_the_name_of_a_track_goes_to_where_it_begins(visit, written):
    page = visit(written())
    page.locator(".track-name", has_text="7 star").press("Enter")
    wait_for(page, 3, 7)


def test_the_timeline_tells_what_else_a_track_may_be(visit, written):
    page = visit(written())
    told = [row.get_attribute("title") for row in page.locator(".track-name").all()]
    assert [title.split("; ")[1] for title in told if " 0.42" in title] == ["or ring 0.31"]
    assert sum("; or " in title for title in told) == 1


def test_only_the_open_video_is_read(visit, written):
    page = visit(written(), "#video=1")
    read = "[...document.querySelectorAll('[data-read]')].map((block) => block.id)"
    assert page.evaluate(read) == ["overview", "tracks-1", "pictures-1"]
    page.focus("#player-box")
    page.keyboard.press("ArrowDown")
    wait_for(page, 2, 0)
    assert page.evaluate(read)[3:] == ["tracks-2", "pictures-2"]


def test_a_frame_without_a_picture_shows_the_one_before_and_says_so(visit, tmp_path):
    unreadable = "data:image/jpeg;base64,AAAA"
    video = replace(make_video(0), pictures=["", picture(0, 1), "", unreadable, *[picture(0, 4)] * (FRAMES - 4)])
    write_page(replace(make_report(videos=1), videos=[video]), tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    said = []
    for frame in range(5):
        wait_for(page, 0, frame)
        said.append(page.locator("canvas").first.get_attribute("aria-label").partition("; ")[2])
        page.keyboard.press("ArrowRight")
    assert said == ["no picture", "", "picture of frame 1", "picture of frame 1", ""]


def test_pictures_may_lie_beside_the_page(visit, tmp_path):
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a picture.jpg").write_bytes(base64.b64decode(picture(0, 0).partition(",")[2]))
    video = replace(make_video(0), pictures=["media/a%20picture.jpg"] * FRAMES)
    write_page(replace(make_report(videos=1), videos=[video]), tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    seen = cv2.imdecode(np.frombuffer(page.locator("canvas").first.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(seen[-20, -20] - np.array([90, 100, 130])).max() < 12  # the ground of the picture


def test_videos_without_pictures_have_figures_but_no_player(visit, tmp_path):
    report = make_report(videos=2)
    bare = replace(report.videos[1], pictures=(), truth=(), models=[replace(report.videos[1].models[0], tracks=())])
    write_page(replace(report, videos=[report.videos[0], bare]), tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    assert shown(page) == (0, 0)
    assert page.locator("#player-box option").all_text_contents() == ["video_0"]
    assert page.locator("#video-table a").all_text_contents() == ["video_0"]
    assert column(page, "video-table", 0) == ["video_0", "video_1"]
    page.focus("#player-box")
    page.keyboard.press("ArrowDown")
    assert shown(page) == (0, 0)


def test_without_truth_there_are_predictions_and_timelines_alone(visit, written):
    page = visit(written(truth=False))
    assert titles(page) == ["Prediction"]
    assert page.locator(".timeline h4").all_text_contents() == ["Prediction"]
    headings = page.locator("#video-table th[scope=col]").all_text_contents()
    assert headings == ["video", "tracks", "frames"]
    assert page.locator("h2").all_text_contents() == ["Player", "Videos", "Training", "How it was made"]
    assert page.locator("#worst, .tiles, .bars, .kinds").count() == 0
    assert not page.get_by_text("next error").filter(visible=True).count()


def test_without_a_training_log_there_are_no_curves_of_it(visit, written):
    assert visit(written(training=False)).locator("#training").count() == 0


def test_two_models_stand_side_by_side(visit, written):
    page = visit(written(models=2))
    assert titles(page) == ["Truth", "A · model 0", "B · model 1"]
    assert page.locator(".timeline h4").all_text_contents() == ["Truth", "A", "B"]
    assert page.locator(".tile").first.inner_text().split("\n") == ["AP", "A 31.2 %", "B 34.2 %", "B − A: +3.0"]
    headings = page.locator("#video-table th[scope=col]").all_text_contents()
    assert headings[:5] == ["video", "AP A", "AP B", "HOTA A", "HOTA B"]
    assert column(page, "class-table", 3) == ["+3.0"] * 3
    assert page.locator("#worst-list small").first.inner_text() == "A · video_3 · frames 0–11"
    assert pixels(page, 1) != pixels(page, 2)


def test_names_that_look_like_markup_are_shown_as_they_are(visit, tmp_path):
    names = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "&lt;b&gt; \u202e \u2028 <!--")
    title = "<svg onload=alert(3)>"
    write_page(make_report(names=names, title=title, videos=1, notes=[names[0]]), tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    assert page.title() == title
    assert page.inner_text("h1") == title
    assert column(page, "class-table", 0) == [names[2], names[1], names[0]]
    assert page.locator(".notes").inner_text() == names[0]
    assert f"1 {names[0]}" in page.locator(".track-name").first.text_content()
    assert page.locator("img, main script, svg[onload]").count() == 0


def test_the_suggested_threshold_and_the_used_one_are_marked_and_said(visit, written):
    page = visit(written())
    chart = page.locator(".chart", has_text="Score threshold")
    assert chart.locator(".mark-label").all_text_contents() == ["suggested 0.44", "used 0.4"]
    assert "Used 0.4: F1 66.3 %, precision 59.0 %, recall 75.6 % (72 tracks)" in chart.inner_text()


def test_gains_come_with_their_caveat(visit, written):
    chart = visit(written()).locator(".chart", has_text="Where AP is lost")
    assert chart.locator("tr").all_inner_texts()[2].split() == ["+", "tracking", "+14.0"]
    assert "they need not add up" in chart.inner_text()


def test_every_chart_says_what_it_shows_and_has_its_numbers(visit, written):
    page = visit(written())
    plots = page.locator("svg.plot")
    assert plots.count() == 5
    assert all(plot.get_attribute("aria-label").startswith("Chart of ") for plot in plots.all())
    numbers = page.locator(".chart", has_text="learning rate").locator("details")
    assert numbers.locator("table").count() == 0
    numbers.locator("summary").click()
    until(page, lambda: numbers.locator("tbody tr").count() > 20)
    plots.first.hover()
    until(page, lambda: page.locator(".readout").first.inner_text().startswith("recall (%)"))


def test_commands_and_paths_can_be_copied(visit, written):
    page = visit(written(), permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy checkpoint").click()
    until(page, lambda: page.get_by_role("button", name="Copy checkpoint").inner_text() == "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "workdir/demo/step_1350.pth"


def brightness(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)")


def test_dark_mode_follows_the_system_and_the_button(visit, written):
    page = visit(written(), color_scheme="dark")
    assert max(brightness(page)) < 60
    page.click("text=Light mode")
    assert min(brightness(page)) > 200
    page.reload()
    assert min(brightness(page)) > 200
    assert page.inner_text("#theme") == "Dark mode"


@pytest.mark.parametrize("kind", ["one model", "two models", "no truth"])
def test_a_phone_needs_no_scrolling_sideways(visit, written, kind):
    long = ("a_name_without_any_space_that_is_longer_than_the_screen_of_a_phone_is_wide", "star", "cross")
    page = visit(written(names=long, title=long[0], **KINDS[kind]), viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("canvas").first.evaluate("canvas => canvas.clientWidth") > 340


def test_paper_gets_no_buttons(visit, written):
    page = visit(written(), color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator(".bar, .play, .copy").filter(visible=True).count()
    assert min(brightness(page)) > 200


def test_everything_can_be_reached_and_seen_with_the_keyboard_alone(visit, written):
    page = visit(written())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(150):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(FOCUSED)
        if name == "body":
            break
        assert outline > 0, name
        seen.append(name)
    assert name == "body", "the focus goes round without an end"
    for wanted in (
        "#theme",
        "Truth",
        ".play",
        "Frame",
        "masks",
        "#worst-list",
        "1 ring",
        "video_0",
        "AP50",
        "Copy config",
    ):
        assert any(wanted in name for name in seen), wanted


FOCUSED = """() => {
  const at = document.activeElement;
  if (at === document.body) return ["body", 0];
  const label = at.closest("label")?.textContent;
  const words = [`#${at.id}`, `.${at.className}`, at.ariaLabel, label, at.textContent];
  const list = at.closest("#worst-list") ? "#worst-list" : "";
  const outline = getComputedStyle(at);
  return [[list, ...words].join(" "), outline.outlineStyle === "none" ? 0 : parseFloat(outline.outlineWidth)];
}"""


def test_the_skip_link_leads_past_the_navigation(visit, written):
    page = visit(written())
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_everything_has_a_name_for_those_who_do_not_see_it(visit, written):
    page = visit(written(models=2))
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate("document.documentElement.lang") == "en"
    canvas = page.locator("canvas").first.get_attribute("aria-label")
    assert canvas == "Truth, frame 0: 1 ring, 2 star, 3 cross"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))


NAMELESS = """() => {
  const controls = "button, a[href], input, select";
  const drawn = "canvas, svg[role=img], [role=group], [role=region], section, nav, table.sortable";
  const labelled = (node) => node.ariaLabel || node.getAttribute("aria-labelledby") || node.closest("label");
  const nameless = (node) => !labelled(node) && !node.textContent.trim();
  const found = [...document.querySelectorAll(`${controls}, ${drawn}`)].filter(nameless);
  return found.map((node) => node.outerHTML.slice(0, 120));
}"""


def test_kinds_of_errors_differ_by_letter_and_shape_as_well_as_by_colour(visit, written):
    page = visit(written())
    badges = page.locator(".kinds .badge")
    for read in (
        "badge => badge.textContent",
        "badge => badge.firstChild.getAttribute('d')",
        "badge => badge.firstChild.getAttribute('fill')",
    ):
        assert len({badge.evaluate(read) for badge in badges.all()}) == 4
