import pytest

from mmdet.datasets.prepare.find_sets import find_ann_files, find_img_prefix
from mmdet.fileio.annotations.vis_json import load_vis_json


@pytest.mark.parametrize(
    ("ann_file", "images"),
    [
        ("annotations/instances_train.json", "train_images"),
        ("annotations/annotations_valid.json", "valid_images"),
        ("train.json", "train/JPEGImages"),
        ("annotations/instances_train_sub.json", "train"),
        ("annotations/instances_val_sub.json", "val"),
        ("valid/instances.json", "valid/JPEGImages"),
        ("valid.json", "valid/JPEGImages"),
        ("gt_long.json", "valid/JPEGImages"),
        ("annotations_test.json", "test"),
        ("annotations/annotations_train.json", "train"),
        ("annotations/instances_long.json", "long/JPEGImages"),
        ("annotations/annotations_train.json", "train_images"),
        ("test.json", "test/JPEGImages"),
        ("train/instances.json", "train/JPEGImages"),
        ("test/instances.json", "test/JPEGImages"),
        ("gt.json", "valid/JPEGImages"),
        ("gt_short.json", "valid/JPEGImages"),
        ("annotations_train.json", "train"),
        ("annotations_valid.json", "valid"),
        ("annotations/annotations_valid.json", "valid"),
        ("annotations/instances_train_valid.json", "train_images"),
        ("train/instances_valid.json", "train/JPEGImages"),
    ],
)
def test_known_layouts_are_found(two_videos, ann_file, images):
    folder = two_videos.folder / "YVIS"
    two_videos.ann_file, two_videos.img_prefix = folder / ann_file, folder / images
    two_videos.write()
    assert find_ann_files(folder) == [two_videos.ann_file]
    assert find_ann_files(two_videos.folder) == [two_videos.ann_file]
    assert find_img_prefix(two_videos.ann_file, load_vis_json(two_videos.ann_file)) == two_videos.img_prefix


def test_a_part_held_back_is_found_beside_the_videos_of_the_validation_set(two_videos):
    two_videos.write()
    (two_videos.folder / "valid_images" / "v905").mkdir(parents=True)
    two_videos.ann_file = two_videos.ann_file.with_name("instances_train_valid.json")
    two_videos.write_json()
    assert find_img_prefix(two_videos.ann_file, load_vis_json(two_videos.ann_file)) == two_videos.img_prefix


def test_without_frames_there_is_no_image_folder(two_videos):
    two_videos.write_json()
    two_videos.img_prefix.mkdir()
    assert find_img_prefix(two_videos.ann_file, load_vis_json(two_videos.ann_file)) is None


def test_other_json_files_are_no_annotation_files(tmp_path):
    for name in ("results.json", "meta.json", "trained.json"):
        (tmp_path / name).touch()
    assert find_ann_files(tmp_path) == []
