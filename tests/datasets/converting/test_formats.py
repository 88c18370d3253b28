"""Every format has a page and a summary; a tiny sample of it becomes a set without faults."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from format_samples import FIRST, SAMPLES, SECOND
from published_sets import assert_masks
from tool_samples import TOOL_SAMPLES

from mmdet.datasets import VISDataset
from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.formats import FORMATS, format_lines
from mmdet.datasets.converting.running import check_result, convert

DOCS = Path(__file__).parents[3] / "docs"


def pages():
    """The pages that the table of docs/convert.md names for each format."""
    rows = re.findall(r"^\| \[(.*?)\]\(([\w/-]+\.md)\S*\) \|", (DOCS / "convert.md").read_text(), flags=re.MULTILINE)
    return {name: DOCS / page for names, page in rows for name in re.findall(r"`(.*?)`", names)}


def test_the_table_of_formats_names_every_format_and_no_other():
    assert set(pages()) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_page_that_names_it_a_summary_and_known_options(name):
    entry = FORMATS[name]
    assert f"`{name}`" in pages()[name].read_text() or f"convert.py {name} " in pages()[name].read_text()
    assert 10 < len(entry.summary) < 100
    assert entry.options <= {field.name for field in fields(ConvertRequest)}


def test_every_option_is_one_of_a_format():
    known = {field.name for field in fields(ConvertRequest)} - {"source", "report_progress"}
    assert set().union(*(entry.options for entry in FORMATS.values())) == known


def test_the_list_has_a_line_for_every_format():
    assert [line.split()[0] for line in format_lines()] == list(FORMATS)


def test_every_format_has_a_sample():
    assert set(SAMPLES | TOOL_SAMPLES) == set(FORMATS)


@pytest.mark.parametrize("name", SAMPLES | TOOL_SAMPLES)
def test_a_sample_becomes_a_set_without_faults_that_training_reads(name, tmp_path):
    out = tmp_path / "out.json"
    conversion = convert(name, (SAMPLES | TOOL_SAMPLES)[name](tmp_path), out)
    assert list(check_result(conversion, out)) == []
    (track,) = (track for track in conversion.data.tracks if not track.is_crowd)
    assert [box[:2] for box in track.boxes] == [(2, 3), (4, 3)]
    dataset = VISDataset(str(out), str(conversion.frames), [])
    assert len(dataset) == 2
    assert len(dataset.class_names) == len(conversion.data.categories)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_masks_of_published_sets_are_kept_to_the_pixel(name, tmp_path):
    tracks = FORMATS[name].read(SAMPLES[name](tmp_path)).data.tracks
    assert_masks(next(track for track in tracks if not track.is_crowd), [FIRST > 0, SECOND > 0])
