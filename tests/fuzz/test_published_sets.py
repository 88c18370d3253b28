"""Files of published sets that tools/convert.py reads."""

from functools import cache

from format_samples import SAMPLES
from hostile import damaged, damages, documents, hostile, refused_or_read, to_json
from hypothesis import given

from mmdet.datasets.converting.formats import FORMATS
from mmdet.datasets.converting.published_sets.png_folders import load_names
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import load_vis_json, write_vis_json


@cache
def sample(folder, name):
    """The request for a sample of a format, written once."""
    root = folder / name
    root.mkdir(exist_ok=True)
    return SAMPLES[name](root)


def convert_or_refuse(folder, name, data):
    """Read a sample with other content; what is read can be written and loaded."""
    request = sample(folder, name)
    request.source.write_bytes(data)
    conversion = refused_or_read(lambda: FORMATS[name].read(request), UserError)
    if conversion is not None:
        write_vis_json(conversion.data, folder / "converted.json")
        assert len(load_vis_json(folder / "converted.json").tracks) == len(conversion.data.tracks)


VIDEO = {"id": 5, "height": 20, "width": 30, "file_names": ["video/000001.jpg", "video/000002.jpg"]}
RLE = {"size": [20, 30], "counts": "Z1=Q1"}
VIS = {
    "videos": [VIDEO],
    "annotations": [
        {"id": 9, "video_id": 5, "category_id": 3, "segmentations": [RLE, [[2, 3, 7, 3, 7, 8]]]},
        {"id": 10, "video_id": 5, "category_id": 3, "segmentations": [{"size": [20, 30], "counts": [590, 10]}, None]},
    ],
    "categories": [{"id": 3, "name": "dog"}],
}
BURST = {
    "sequences": [
        {
            "dataset": "LaSOT",
            "seq_name": "book-1",
            "height": 20,
            "width": 30,
            "all_image_paths": ["000001.jpg", "000002.jpg"],
            "annotated_image_paths": ["000001.jpg"],
            "not_exhaustive_category_ids": [3],
            "track_category_ids": {"1": 3, "2": 3},
            "segmentations": [{"1": {"rle": "Z1=Q1", "is_gt": False}, "2": {"rle": "Z1=Q1", "point": [1, 2]}}],
        }
    ],
    "categories": [{"id": 3, "name": "book"}],
    "split": "train",
}
PANOPTIC = {
    "videos": [],
    "annotations": [
        {
            "video_id": "video",
            "annotations": [
                {"file_name": "000001.png", "segments_info": [{"id": 70_000, "category_id": 60, "iscrowd": 0}]},
                {"file_name": "000002.png", "segments_info": [{"id": 70_000, "category_id": 61}]},
            ],
        }
    ],
    "categories": [{"id": 60, "name": "person", "isthing": 1}, {"id": 61, "name": "wall", "isthing": 0}],
}
META = {"videos": {"video": {"objects": {"1": {"category": "penguin", "frames": ["000001"]}}}}}
TEXT = b"1 2001 2 20 30 Z1=Q1\n2 2001 2 20 30 Z1=Q1\n1 10000 10 20 30 Z1=Q1\n"


@hostile(2)
@given(documents(VIS), damages)
def test_files_of_youtube_vis_and_uvo_are_converted_or_refused(folder, document, damage):
    convert_or_refuse(folder, "uvo", damaged(to_json(document), damage))


@hostile(2)
@given(documents(BURST), damages)
def test_files_of_burst_are_converted_or_refused(folder, document, damage):
    convert_or_refuse(folder, "burst", damaged(to_json(document), damage))


@hostile(2)
@given(documents(PANOPTIC), damages)
def test_files_of_vipseg_are_converted_or_refused(folder, document, damage):
    convert_or_refuse(folder, "vipseg", damaged(to_json(document), damage))


@hostile(2)
@given(damages)
def test_texts_of_mots_are_converted_or_refused(folder, damage):
    request = sample(folder, "mots-txt")
    (request.source / "0002.txt").write_bytes(damaged(TEXT, damage))
    refused_or_read(lambda: FORMATS["mots-txt"].read(request), UserError)


@hostile(2)
@given(documents(META), damages)
def test_files_of_names_are_read_or_refused(folder, document, damage):
    path = folder / "meta.json"
    path.write_bytes(damaged(to_json(document), damage))
    names = refused_or_read(lambda: load_names(path), UserError)
    assert names is None or all(isinstance(name, str) for ids in names.values() for name in ids.values())
