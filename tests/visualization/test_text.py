"""Text in drawings, in any script."""

import numpy as np
import pytest

from mmdet.visualization import text
from mmdet.visualization.text import render, shortened


@pytest.fixture
def bundled_fonts_alone(monkeypatch):
    """As on a system without fonts."""
    monkeypatch.setattr(text, "_system_fonts", lambda: ())
    for cached in (render, shortened, text._font_of):
        cached.cache_clear()
    yield
    for cached in (render, shortened, text._font_of):
        cached.cache_clear()


@pytest.mark.parametrize(
    "name",
    ["giant panda", "大熊猫", "белый медведь", "éléphant à défenses", "日本の猫", "한국어", "ἄνθρωπος", "كلب", "😀"],
)
@pytest.mark.usefixtures("bundled_fonts_alone")
def test_names_of_many_scripts_are_drawn_as_they_are(name):
    assert "".join(part for _, part in text._runs(name)) == name
    for character in set(name) - {" "}:
        assert render(character, 20).max() > 128
        assert not np.array_equal(render(character, 20), render("\\", 20))


@pytest.mark.usefixtures("bundled_fonts_alone")
def test_every_character_has_a_picture_of_its_own():
    pictures = {render(character, 20).tobytes() for character in "大熊猫狗белыйéア한"}
    assert len(pictures) == len("大熊猫狗белыйéア한")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("car 🚗", "car \\U0001f697"),
        ("ช้าง", "\\u0e0a\\u0e32\\u0e07"),
        ("a\ud800b", "a\\ud800b"),
        ("a\nb\0", "a\\nb\\x00"),
        ("\ue000", "\\ue000"),
        ("a\u200db", "ab"),
    ],
)
@pytest.mark.usefixtures("bundled_fonts_alone")
def test_what_no_font_can_draw_is_escaped(name, shown):
    assert "".join(part for _, part in text._runs(name)) == shown
    assert np.array_equal(render(name, 16), render(shown, 16))


def test_a_font_of_the_system_is_asked_for_what_the_bundled_ones_lack(monkeypatch, tmp_path):
    latin, other = text._BUNDLED
    damaged = tmp_path / "damaged.ttf"
    damaged.write_bytes(b"no font")
    monkeypatch.setattr(text, "_BUNDLED", (latin,))
    monkeypatch.setattr(text, "_system_fonts", lambda: (damaged, other))
    text._font_of.cache_clear()
    found = text._font_of("猫")
    text._font_of.cache_clear()
    assert found == other


def test_accents_that_stand_apart_are_drawn_like_letters_with_accents():
    assert [part for _, part in text._runs("e\u0301")] == ["é"]
    assert np.array_equal(render("e\u0301", 20), render("é", 20))


def test_words_from_right_to_left_stand_between_id_and_score():
    parts = [part for _, part in text._runs("5 كلب أسود 0.90")]
    assert parts == ["5 ", "كلب أسود ", "0.90"]


def test_an_empty_text_is_drawn():
    assert render("", 16).shape[1] == 1


def test_a_long_name_is_cut_before_its_score():
    cut = shortened("3 a_very_long_class_name 0.87", 14, 120)
    assert cut.startswith("3 a_")
    assert cut.endswith("… 0.87")
    assert 90 < render(cut, 14).shape[1] <= 120
    assert shortened("3 ring 0.87", 14, 120) == "3 ring 0.87"


def test_the_licences_of_the_fonts_lie_beside_them():
    folder = text._BUNDLED[0].parent
    assert "Bitstream Vera" in (folder / "DejaVuSans.LICENSE.txt").read_text()
    assert "Apache License" in (folder / "DroidSansFallback.LICENSE.txt").read_text()
    assert {path.stem for path in folder.glob("*.ttf")} == {"DejaVuSans", "DroidSansFallback"}
