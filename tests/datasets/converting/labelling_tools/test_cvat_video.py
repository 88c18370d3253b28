"""CVAT for video 1.1: tracks of polygons, masks, boxes, by the rules of keyframes and outside."""

import numpy as np
import pytest
from made_labels import SIZE, SQUARE, drawn, left_out, pixels_of, run, seen_in, write_images, write_video

from mmdet.errors import UserError

LABELS = "<label><name>dog</name></label><label><name>кот</name><type>any</type></label>"
LABELS += "<label><name>nose</name><type>points</type></label>"


def xml(tracks, *, size=4, extra="", labels=LABELS, source="clip.mp4"):
    height, width = SIZE
    return (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task>'
        f"<id>3</id><name>my task</name><size>{size}</size><mode>interpolation</mode>{extra}"
        f"<labels>{labels}</labels><original_size><width>{width}</width><height>{height}</height></original_size>"
        f"<source>{source}</source></task></meta>{tracks}</annotations>"
    )


def points(outline):
    return ";".join(f"{x},{y}" for x, y in zip(outline[::2], outline[1::2], strict=True))


def polygon(frame, outline=SQUARE, *, keyframe=1, outside=0, occluded=0, inside=""):
    flags = f'keyframe="{keyframe}" outside="{outside}" occluded="{occluded}"'
    return f'<polygon frame="{frame}" {flags} points="{points(outline)}" z_order="0">{inside}</polygon>'


def box(frame, x, *, keyframe=1, outside=0, more=""):
    flags = f'keyframe="{keyframe}" outside="{outside}" occluded="0" {more}'
    return f'<box frame="{frame}" {flags} xtl="{x}" ytl="2" xbr="{x + 6}" ybr="8"/>'


def track(shapes, number=0, label="dog", more=""):
    return f'<track id="{number}" label="{label}" source="manual" {more}>{shapes}</track>'


@pytest.fixture
def convert(tmp_path):
    def run_it(text, names=("frame_000000.png", "frame_000001.png", "frame_000002.png", "frame_000003.png"), **options):
        (tmp_path / "annotations.xml").write_text(text, encoding="utf-8")
        if names:
            write_images(tmp_path / "images", names)
        return run("cvat-video", tmp_path, out=tmp_path / "out.json", **options)

    return run_it


def test_a_polygon_is_to_the_pixel_what_pycocotools_draws(convert):
    outline = [3.4, 2.2, 20.7, 5.1, 14.3, 17.9, 2.2, 12.5]
    _, data = convert(xml(track(polygon(1, outline))))
    assert data.tracks[0].segmentations[1]["counts"] == drawn(outline)


def test_a_mask_is_runs_along_the_rows_of_its_window(convert):
    shape = (
        '<mask frame="0" keyframe="1" outside="0" occluded="0" rle="1, 2, 2, 1" left="5" top="7" width="3" height="2"/>'
    )
    _, data = convert(xml(track(shape)))
    expected = np.zeros(SIZE, bool)
    expected[7, 6:8] = expected[8, 7] = True
    assert (pixels_of(data.tracks[0], 0) == expected).all()


def test_identities_last_over_gaps(convert):
    first = polygon(0) + polygon(1, outside=1) + polygon(3) + polygon(2, keyframe=0, outside=1)
    conversion, data = convert(xml(track(first) + track(polygon(2), number=1, label="кот")))
    assert [seen_in(one) for one in data.tracks] == [[0, 3], [2]]
    assert [category.name for category in data.categories] == ["dog", "кот"]
    assert [one.category_id for one in data.tracks] == [1, 2]
    assert conversion.read == {"videos": 1, "frames": 4, "objects": 2, "masks": 3, "categories": 2}


def test_frames_are_named_in_natural_order(convert):
    names = [f"f{number}.png" for number in (9, 10, 11, 100)]
    _, data = convert(xml(track(polygon(1))), names)
    assert data.videos[0].file_names == [f"images/{name}" for name in names]


def test_of_a_full_export_nothing_is_computed(convert):
    shapes = polygon(0) + polygon(1, keyframe=0) + polygon(3)
    conversion, data = convert(xml(track(shapes)))
    assert seen_in(data.tracks[0]) == [0, 1, 3]
    assert conversion.notes == ()


def test_between_keyframes_boxes_and_polygons_move_evenly(convert):
    moved = [value + 6 * (index % 2 == 0) for index, value in enumerate(SQUARE)]
    text = xml(track(polygon(0) + polygon(3, moved)) + track(box(0, 2) + box(3, 11, outside=1), number=1))
    conversion, data = convert(text, boxes_as_masks=True)
    assert [one[0] for one in data.tracks[0].boxes] == [4, 6, 8, 10]
    assert [one and one[0] for one in data.tracks[1].boxes] == [2, 5, 8, None]
    assert "the file lists keyframes alone: 4 shapes between and after them are computed" in conversion.notes


def test_after_the_last_keyframe_a_shape_stays(convert):
    _, data = convert(xml(track(polygon(1))))
    assert seen_in(data.tracks[0]) == [1, 2, 3]
    assert len(set(data.tracks[0].boxes[1:])) == 1


def test_polygons_that_do_not_correspond_are_left_out_between_keyframes(convert):
    conversion, data = convert(xml(track(polygon(0) + polygon(3, SQUARE[:6]))))
    assert seen_in(data.tracks[0]) == [0, 3]
    assert left_out(conversion) == {"shapes between keyframes": 2}


def test_a_box_is_no_mask(convert):
    conversion, data = convert(xml(track(box(0, 2)) + track(polygon(0), number=1)))
    assert len(data.tracks) == 1
    assert left_out(conversion) == {"boxes": 4}


def test_only_boxes_are_an_error_that_names_the_option(convert, tmp_path):
    with pytest.raises(UserError, match=r"no object of it is left: 4 boxes \(a box is not a mask \(--boxes-as-masks"):
        convert(xml(track(box(0, 2))))
    assert not (tmp_path / "out.json").exists()


def test_a_turned_box_is_turned_about_its_middle(convert):
    shape = box(0, 4, more='rotation="90"').replace('ybr="8"', 'ybr="6"')  # 6 wide, 4 high around 7, 4
    _, data = convert(xml(track(shape + box(1, 0, outside=1))), boxes_as_masks=True)
    assert data.tracks[0].boxes[0] == (5, 1, 4, 6)


def test_ellipses_are_masks(convert):
    shape = '<ellipse frame="3" keyframe="1" outside="0" occluded="0" cx="16" cy="12" rx="8" ry="5"/>'
    _, data = convert(xml(track(shape)))
    y, x = np.mgrid[:24, :32] + 0.5
    inside = ((x - 16) / 8) ** 2 + ((y - 12) / 5) ** 2 <= 1
    assert np.count_nonzero(pixels_of(data.tracks[0], 3) != inside) <= 8  # of 124: outlines are drawn to whole pixels


def test_points_cover_no_area(convert):
    shape = '<points frame="0" keyframe="1" outside="0" occluded="0" points="3,3"/>'
    conversion, _ = convert(xml(track(shape) + track(polygon(0), number=1)))
    assert left_out(conversion) == {"points, lines, cuboids and skeletons": 4}


def test_attributes_and_occlusion_are_named_as_not_read(convert):
    inside = '<attribute name="colour">red</attribute>'
    conversion, _ = convert(xml(track(polygon(3, occluded=1, inside=inside))))
    assert "attributes are not read: colour" in conversion.notes
    assert "1 shapes are marked as occluded: they are kept, the mark is not" in conversion.notes


def test_twelve_objects_of_one_frame_keep_their_order(convert):
    outlines = [[2 * n, 0, 2 * n + 2, 0, 2 * n + 2, 4, 2 * n, 4] for n in range(12)]
    _, data = convert(xml("".join(track(polygon(3, outline), n) for n, outline in enumerate(outlines))))
    assert [one.boxes[3][0] for one in data.tracks] == [2 * n for n in range(12)]


def test_frames_of_the_video_are_written_with_their_numbers(tmp_path):
    extra = "<start_frame>1</start_frame><stop_frame>5</stop_frame><frame_filter>step=2</frame_filter>"
    text = xml(track(polygon(3) + polygon(5, outside=1)), size=3, extra=extra)
    (tmp_path / "annotations.xml").write_text(text)
    write_video(tmp_path / "clip.mp4", 8, SIZE)
    conversion, data = run("cvat-video", tmp_path / "annotations.xml", extract_to=tmp_path / "frames")
    assert data.videos[0].file_names == ["clip/00001.jpg", "clip/00003.jpg", "clip/00005.jpg"]
    assert conversion.frames == tmp_path / "frames"
    assert seen_in(data.tracks[0]) == [1]
    assert all((tmp_path / "frames" / name).is_file() for name in data.videos[0].file_names)


def test_a_video_needs_a_folder_for_its_frames(convert, tmp_path):
    write_video(tmp_path / "clip.mp4", 4, SIZE)
    with pytest.raises(UserError, match=r"clip\.mp4 is a video: name a folder for its frames by --extract-to DIR"):
        convert(xml(track(polygon(0))), names=())


def test_missing_images_are_left_out_by_their_numbers(convert):
    text = xml(track(polygon(0) + polygon(2, keyframe=0) + polygon(3)))
    conversion, data = convert(text, ["frame_000000.png", "frame_000003.png"])
    assert data.videos[0].file_names == ["images/frame_000000.png", "images/frame_000003.png"]
    assert seen_in(data.tracks[0]) == [0, 1]
    assert left_out(conversion) == {"frames": 2, "shapes": 1}


def test_images_that_cannot_be_matched_are_an_error(convert):
    with pytest.raises(UserError, match=r"video clip\.mp4 has 4 frames, .* 2 images, whose names do not end with"):
        convert(xml(track(polygon(0))), ["a.png", "b.png"])


def test_frames_of_another_size_are_an_error(convert):
    text = xml(track(polygon(0))).replace("<width>32<", "<width>64<")
    with pytest.raises(UserError, match="the frames of clip.mp4 were 64x24 when they were labelled, .* is 32x24"):
        convert(text)


def test_a_project_has_a_video_for_each_task(tmp_path):
    tasks = "".join(f"<task><id>{n}</id><name>{name}</name><size>2</size></task>" for n, name in ((7, "a"), (8, "b")))
    meta = f"<meta><project><id>1</id><tasks>{tasks}</tasks><labels>{LABELS}</labels></project></meta>"
    tracks = track(polygon(0) + polygon(1), 0, more='task_id="7"') + track(polygon(1), 0, more='task_id="8"')
    (tmp_path / "annotations.xml").write_text(f"<annotations>{meta}{tracks}</annotations>")
    for name in "ab":
        write_images(tmp_path / "images" / name, ["1.png", "2.png"])
    _, data = run("cvat-video", tmp_path, out=tmp_path / "out.json", frames=tmp_path / "images")
    assert [video.file_names for video in data.videos] == [["a/1.png", "a/2.png"], ["b/1.png", "b/2.png"]]
    assert [(one.video_id, seen_in(one)) for one in data.tracks] == [(1, [0, 1]), (2, [1])]


@pytest.mark.parametrize("folder", ["", "images", "images/default", "clip", "whatever extract_frames called it"])
def test_the_images_of_an_only_task_are_found(tmp_path, folder):
    (tmp_path / "annotations.xml").write_text(xml(track(polygon(1)), source=""), encoding="utf-8")
    frames = write_images(tmp_path / "frames" / folder, [f"{n:05d}.jpg.png" for n in range(4)])
    _, data = run("cvat-video", tmp_path / "annotations.xml", frames=tmp_path / "frames")
    assert tmp_path / "frames" / data.videos[0].file_names[0] == frames / "00000.jpg.png"


def test_a_folder_of_files_is_one_set(tmp_path):
    for name, label in (("clip 10", "dog"), ("clip 9", "cat")):
        text = xml(track(polygon(1), label=label), source="")
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{name}.xml").write_text(text.replace("my task", name), encoding="utf-8")
        write_images(tmp_path / "images" / name, [f"{n}.png" for n in range(4)])
    conversion, data = run("cvat-video", tmp_path / "labels", frames=tmp_path / "images")
    assert [video.file_names[0] for video in data.videos] == ["clip 9/0.png", "clip 10/0.png"]
    assert [one.video_id for one in data.tracks] == [1, 2]
    assert [category.name for category in data.categories] == ["dog", "кот", "cat"]
    assert conversion.read["objects"] == 2


def test_unpacked_exports_keep_their_own_images(tmp_path):
    for name in ("export_a", "export_b"):
        write_images(tmp_path / "all" / name / "images", [f"frame_{n:06d}.png" for n in range(4)])
        (tmp_path / "all" / name / "annotations.xml").write_text(xml(track(polygon(1))), encoding="utf-8")
    _, data = run("cvat-video", tmp_path / "all")
    first = [f"export_{name}/images/frame_000000.png" for name in "ab"]
    assert [video.file_names[0] for video in data.videos] == first
    assert [seen_in(one) for one in data.tracks] == [[1, 2, 3]] * 2


def test_a_folder_without_an_export_is_named(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [dog]")
    with pytest.raises(UserError, match=r"is not a folder with .* \(annotations\.xml\): it looks like a YOLO set"):
        run("cvat-video", tmp_path)


def test_a_name_that_leads_upwards_stays_inside_of_the_folder(tmp_path):
    (tmp_path / "annotations.xml").write_text(xml(track(polygon(0)), source="../../clip.mp4"))
    write_video(tmp_path / "clip.mp4", 4, SIZE)
    _, data = run("cvat-video", tmp_path / "annotations.xml", extract_to=tmp_path / "deep" / "frames")
    assert data.videos[0].file_names[0] == "clip/00000.jpg"
    assert (tmp_path / "deep" / "frames" / "clip" / "00000.jpg").is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations><meta/>", "cannot be read as XML"),
        ("<svg/>", "is not \"CVAT for video 1.1\": it is an XML file of <svg>"),
        ('<annotations><image id="0"/></annotations>', 'it is "CVAT for images", in which nothing says which'),
        ("<annotations><track/></annotations>", "has no <meta>"),
        (xml(track(polygon(0).replace("4,3;", "4,x;"))), "track 0, polygon of frame 0: 'points' is '4,x;"),
        (xml(track(polygon("a"))), "track 0: 'frame' is 'a', expected a number"),
        (xml(track(polygon(0)), size="many"), "<size> of <task> is 'many'"),
        (xml("<track id='4'/>"), "track 4: the attribute 'label' is missing"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_named_with_its_place(convert, text, message):
    with pytest.raises(UserError) as error:
        convert(text)
    assert message in str(error.value)


def test_a_mask_beyond_the_frame_is_named(convert):
    shape = '<mask frame="0" keyframe="1" outside="0" occluded="0" rle="1, 2" left="31" top="7" width="3" height="1"/>'
    with pytest.raises(UserError, match="its window is 3x1 at 31, 7 of a frame of 32x24"):
        convert(xml(track(shape)))


def test_a_json_given_as_xml_is_recognised(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text('{"images": [], "annotations": []}')
    with pytest.raises(
        UserError, match=r"is not an XML file .*: it is a COCO file of single images; python tools/conv"
    ):
        run("cvat-video", path)
