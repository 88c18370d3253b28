"""Supervisely projects of videos: figures of objects, as bitmaps and polygons with holes."""

import base64
import io
import shutil
import zlib

import numpy as np
import pytest
from made_labels import SIZE, left_out, pixels_of, run, seen_in, write_images, write_json, write_video
from PIL import Image

from mmdet.errors import UserError

TRIANGLE = [[4, 3], [12, 3], [4, 11]]


def polygon(exterior=TRIANGLE, interior=()):
    return {"geometryType": "polygon", "geometry": {"points": {"exterior": exterior, "interior": list(interior)}}}


def rectangle(x1, y1, x2, y2):
    return {**polygon([[x1, y1], [x2, y2]]), "geometryType": "rectangle"}


def bitmap(pixels, origin, mode="P"):
    file = io.BytesIO()
    if mode == "RGBA":  # the object is opaque, and black as all the rest
        rgba = np.zeros((*pixels.shape, 4), np.uint8)
        rgba[..., 3] = 200 * pixels
        Image.fromarray(rgba).save(file, "PNG")
    elif mode == "P":  # as Supervisely writes it: a palette of which the first colour is transparent
        image = Image.fromarray(pixels.astype(np.uint8), "P")
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.save(file, "PNG", transparency=0)
    else:
        Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    data = base64.b64encode(zlib.compress(file.getvalue())).decode()
    return {"geometryType": "bitmap", "geometry": {"bitmap": {"data": data, "origin": list(origin)}}}


def annotation(frames, objects=(("a", "dog"),), length=4, **more):
    height, width = SIZE
    return {
        **{"size": {"height": height, "width": width}, "framesCount": length, "description": "", "tags": []},
        "objects": [{"key": key, "classTitle": title, "tags": []} for key, title in objects],
        "frames": [
            {"index": index, "figures": [{"key": f"f{index}", "objectKey": key, **figure} for key, figure in figures]}
            for index, figures in frames.items()
        ],
        **more,
    }


@pytest.fixture
def project(tmp_path):
    """A function that writes a project with one data set, with images beside it, and returns its folder."""

    def write(videos, classes=("cat", "dog"), images=4):
        root = tmp_path / "project"
        write_json(root / "meta.json", {"classes": [{"title": title, "shape": "any"} for title in classes]})
        for name, content in videos.items():
            write_json(root / "ds" / "ann" / f"{name}.json", content)
            if images:
                write_images(tmp_path / "frames" / name.rpartition(".")[0], [f"{n}.png" for n in range(images)])
        return root

    return write


def convert(root, **options):
    return run("supervisely", root, **{"frames": root.parent / "frames", **options})


def test_an_object_is_a_track_over_gaps(project):
    frames = {0: [("a", polygon()), ("b", polygon())], 3: [("a", polygon())]}
    root = project({"clip.mp4": annotation(frames, (("a", "dog"), ("b", "кот")))})
    conversion, data = convert(root)
    assert [seen_in(track) for track in data.tracks] == [[0, 3], [0]]
    assert [category.name for category in data.categories] == ["cat", "dog", "кот"]
    assert [track.category_id for track in data.tracks] == [2, 3]
    assert data.videos[0].annotated_frames is None
    assert dict(conversion.read) == {"videos": 1, "frames": 4, "objects": 2, "masks": 3, "categories": 2}


@pytest.mark.parametrize("mode", ["P", "L", "RGBA"])
def test_a_bitmap_is_a_packed_picture_at_its_place(project, mode):
    pixels = np.array([[1, 0, 1], [0, 1, 1]], bool)
    _, data = convert(project({"clip.mp4": annotation({1: [("a", bitmap(pixels, (5, 7), mode))]})}))
    expected = np.zeros(SIZE, bool)
    expected[7:9, 5:8] = pixels
    assert (pixels_of(data.tracks[0], 1) == expected).all()


def test_what_lies_beyond_the_frame_is_cut_off(project):
    _, data = convert(project({"clip.mp4": annotation({1: [("a", bitmap(np.ones((4, 4), bool), (-2, 22)))]})}))
    assert data.tracks[0].boxes[1] == (0, 22, 2, 2)


def test_a_polygon_has_its_corners_and_not_its_holes(project):
    square, hole = [[4, 3], [12, 3], [12, 11], [4, 11]], [[6, 5], [8, 5], [8, 7], [6, 7]]
    _, data = convert(project({"clip.mp4": annotation({0: [("a", polygon(square, [hole]))]})}))
    expected = np.zeros(SIZE, bool)
    expected[3:12, 4:13] = True
    expected[5:8, 6:9] = False
    assert (pixels_of(data.tracks[0], 0) == expected).all()


def test_a_rectangle_is_no_mask_unless_that_is_asked_for(project):
    root = project({"clip.mp4": annotation({0: [("a", polygon()), ("a", rectangle(20, 10, 25, 12))]})})
    conversion, data = convert(root)
    assert left_out(conversion) == {"rectangles": 1}
    assert data.tracks[0].boxes[0] == (4, 3, 9, 9)
    _, data = convert(root, boxes_as_masks=True)
    assert data.tracks[0].boxes[0] == (4, 3, 22, 10)


def test_points_cover_no_area(project):
    point = {"geometryType": "point", "geometry": {"points": {"exterior": [[1, 2]], "interior": []}}}
    conversion, _ = convert(project({"clip.mp4": annotation({0: [("a", polygon()), ("a", point)]})}))
    assert left_out(conversion) == {"points, lines, graphs and cuboids": 1}


def test_videos_are_written_as_images_in_folders_of_their_data_sets(project, tmp_path):
    root = project({"clip 10.mp4": annotation({1: [("a", polygon())]}), "clip 9.mp4": annotation({})}, images=0)
    for name in ("clip 9.mp4", "clip 10.mp4"):
        write_video(root / "ds" / "video" / name, 4, SIZE)
    conversion, data = convert(root, frames=None, extract_to=tmp_path / "out")
    assert [video.file_names[1] for video in data.videos] == ["ds/clip 9/00001.jpg", "ds/clip 10/00001.jpg"]
    assert [track.video_id for track in data.tracks] == [2]
    assert conversion.frames == tmp_path / "out"
    assert sorted(path.name for path in (tmp_path / "out" / "ds" / "clip 9").iterdir())[-1] == "00003.jpg"


def test_frames_that_the_video_lacks_are_left_out_and_counted(project, tmp_path):
    root = project({"clip.mp4": annotation({3: [("a", polygon())], 0: [("a", polygon())]})}, images=0)
    write_video(root / "ds" / "video" / "clip.mp4", 3, SIZE)
    conversion, data = convert(root, frames=None, extract_to=tmp_path / "out")
    assert left_out(conversion) == {"frames": 1, "figures": 1}
    assert seen_in(data.tracks[0]) == [0]


def test_frames_that_an_earlier_run_wrote_are_used(project, tmp_path):
    root = project({"clip.mp4": annotation({1: [("a", polygon())]})}, images=0)
    write_video(root / "ds" / "video" / "clip.mp4", 4, SIZE)
    convert(root, frames=None, extract_to=tmp_path / "out")
    first = tmp_path / "out" / "ds" / "clip" / "00000.jpg"
    before = first.stat().st_mtime_ns
    conversion, data = convert(root, frames=None, extract_to=tmp_path / "out")
    assert "is there already, with the frames of clip.mp4: they are used" in conversion.notes[0]
    assert first.stat().st_mtime_ns == before
    assert convert(root, frames=tmp_path / "out")[1] == data


@pytest.mark.parametrize("change", ["another picture", "another file", "a frame less"])
def test_a_folder_of_other_files_is_not_written_into(project, tmp_path, change):
    root = project({"clip.mp4": annotation({1: [("a", polygon())]})}, images=0)
    write_video(root / "ds" / "video" / "clip.mp4", 4, SIZE)
    convert(root, frames=None, extract_to=tmp_path / "out")
    folder = tmp_path / "out" / "ds" / "clip"
    if change == "another picture":
        (folder / "00000.jpg").write_bytes((folder / "00003.jpg").read_bytes())
    elif change == "another file":
        (folder / "notes.txt").write_text("mine")
    else:
        (folder / "00002.jpg").unlink()
    with pytest.raises(UserError, match=r"is there already, with other files than the frames of .*clip\.mp4"):
        convert(root, frames=None, extract_to=tmp_path / "out")


def test_of_several_videos_the_missing_ones_are_left_out_and_named(project, tmp_path):
    root = project({name: annotation({1: [("a", polygon())]}) for name in ("a.mp4", "b.mp4")})
    shutil.rmtree(tmp_path / "frames" / "b")
    conversion, data = convert(root)
    assert [video.file_names[0] for video in data.videos] == ["a/0.png"]
    assert left_out(conversion) == {"videos": 1}
    assert conversion.left_out[0].why.endswith("frames: ds/b.mp4")
    shutil.rmtree(tmp_path / "frames" / "a")
    with pytest.raises(UserError, match="no frames of video ds/a.mp4 in"):
        convert(root)


def test_a_video_without_frames_is_named_with_the_options(project):
    with pytest.raises(UserError, match=r"no frames of video ds/clip.mp4 in .*: give --frames DIR .* --extract-to DIR"):
        convert(project({"clip.mp4": annotation({})}, images=0), frames=None)


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (("x", polygon()), r"frame 1, figures\[0\]: no object has the key 'x'"),
        (("a", polygon([[1]])), r"figures\[0\]: the points are \[\[1\]\], expected \[\[x, y\], ...\]"),
        (("a", polygon([[1, "2"]])), "expected numbers of pixels"),
        (("a", {"geometryType": "polygon"}), "the key 'geometry' is missing"),
        (("a", {"geometryType": "bitmap", "geometry": {"bitmap": {"origin": [0, 0], "data": "eJw="}}}), "as a PNG"),
        (("a", bitmap(np.ones((30, 4), bool), (0, 0))), "its mask is 4x30, the frame 32x24"),
    ],
)
def test_what_is_malformed_is_named_with_its_place(project, figure, message):
    with pytest.raises(UserError, match=message):
        convert(project({"clip.mp4": annotation({1: [figure]})}))


def test_another_folder_is_recognised(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [dog]")
    with pytest.raises(UserError, match=r"it has no DATASET/ann/\*\.json: it looks like a YOLO set"):
        run("supervisely", tmp_path)
