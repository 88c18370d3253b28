"""What a user may give as sources: files, folders, patterns and lists, and the names of what is written of them."""

import os

import pytest

from mmdet.errors import UserError
from mmdet.fileio.sources.finding import find_sources


def found(*texts):
    return [str(source.path) for source in find_sources(texts)]


def names(*texts):
    return [source.name for source in find_sources(texts)]


def told(*texts):
    with pytest.raises(UserError) as error:
        find_sources(texts)
    assert "\n" not in str(error.value)
    return str(error.value)


def brightness(source):
    return [int(frame.image.mean()) for frame in source.open()]


def test_files_and_folders_come_in_the_order_given(tree, still):
    tree("b.mp4", "a.mov")
    still("frames/0.png")
    assert found("b.mp4", "frames", "a.mov") == ["b.mp4", "frames", "a.mov"]


def test_what_is_given_twice_is_read_once(tree):
    tree("a.mp4", "b.mp4")
    assert found("b.mp4", "./b.mp4", "*.mp4") == ["b.mp4", "a.mp4"]


def test_a_pattern_of_videos_comes_in_natural_order(tree):
    tree("day10/clip2.mp4", "day2/clip10.mp4", "day2/clip9.mp4", "day2/notes.json")
    assert found("day*/*.mp4") == ["day2/clip9.mp4", "day2/clip10.mp4", "day10/clip2.mp4"]


def test_two_stars_search_folders_of_any_depth(tree):
    tree("set/a/b/c.mp4", "set/d.mkv", "set/.hidden/e.mp4", "set/readme.md")
    assert sorted(found("set/**")) == ["set/a/b/c.mp4", "set/d.mkv"]
    assert found("set/**/*.mp4") == ["set/a/b/c.mp4"]


def test_the_images_of_a_pattern_are_one_video_per_folder_in_natural_order(tree, still):
    tree()
    for name, value in (("a/f10.png", 100), ("a/f9.png", 90), ("b/f1.png", 10), ("a/other.png", 7), ("b/f2.png", 20)):
        still(name, value)
    first, second = find_sources(["*/f*.png"])
    assert (brightness(first), brightness(second)) == ([90, 100], [10, 20])
    assert (first.name, second.name) == ("a", "b")


def test_a_pattern_of_folders_is_a_video_each(tree, still):
    tree("set/labels.json")
    for name in ("set/v10/0.png", "set/v2/0.png", "set/v2/1.png"):
        still(name)
    assert found("set/*") == ["set/v2", "set/v10"]


def test_a_folder_whose_images_a_pattern_matches_too_is_one_video(tree, still):
    tree()
    for name in ("set/v2/0.png", "set/v2/1.png"):
        still(name)
    (source,) = find_sources(["set/**"])
    assert source.open().promised == 2


def test_what_a_pattern_leaves_out_is_named(tree, still):
    tree("a/labels.csv", "a/b.json")
    still("a/0.png")
    (source,) = find_sources(["a/*"])
    assert source.open().notes == ("a/*: not read, because they are neither images nor videos: b.json, labels.csv",)


def test_images_of_a_pattern_of_several_sizes_are_told_before_the_work(tree, still):
    tree()
    still("a/0.png")
    still("a/1.png", size=(20, 20))
    (source,) = find_sources(["a/*.png"])
    with pytest.raises(UserError, match=r"a/1\.png is 20x20, 0\.png 32x24"):
        source.open(one_size=True)


def test_stills_given_one_by_one_are_videos_of_one_frame_and_a_note_says_so(tree, still):
    tree()
    for name in ("0.png", "1.png", "2.png"):
        still(name)
    sources = find_sources(["0.png", "1.png", "2.png"])
    assert [source.open().promised for source in sources] == [1, 1, 1]
    assert "3 images given singly are 3 videos" in sources[0].open().notes[0]


def test_a_folder_of_videos_is_each_of_them(tree):
    tree("clips/b10.mp4", "clips/b9.avi", "clips/list.txt")
    assert found("clips") == ["clips/b9.avi", "clips/b10.mp4"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree):
    tree("clip[1].mp4", "clip1.mp4")
    assert found("clip[1].mp4") == ["clip[1].mp4"]


def test_a_list_names_sources_relative_to_itself(tree, still):
    folder = tree("lists/a.mp4", "b.mp4", "lists/sub/c1.mp4", "lists/sub/c2.mp4", "other/d.mp4")
    lines = ("\ufeff# clips", "", "  a.mp4  ", "../b.mp4", "sub/*.mp4", str(folder / "other/d.mp4"))
    (folder / "lists/all.txt").write_text("\r\n".join(lines), encoding="utf-8")
    expected = ["lists/a.mp4", "lists/../b.mp4", "lists/sub/c1.mp4", "lists/sub/c2.mp4", f"{folder}/other/d.mp4"]
    assert found("lists/all.txt") == expected


def test_a_pattern_in_a_list_may_lie_in_a_folder_named_like_a_pattern(tree):
    folder = tree("odd[1]*/a.mp4")
    (folder / "odd[1]*/all.txt").write_text("*.mp4")
    assert found("odd[1]*/all.txt") == ["odd[1]*/a.mp4"]


def test_a_wrong_line_of_a_list_is_named(tree):
    (tree("dog.mp4") / "all.txt").write_text("dog.mp4\n\ndgo.mp4\n")
    assert told("all.txt") == "all.txt, line 3: dgo.mp4 does not exist; did you mean dog.mp4?"


def test_lists_in_lists_are_refused(tree):
    folder = tree()
    (folder / "a.txt").write_text("b.txt")
    (folder / "b.txt").write_text("a.txt")
    assert "a.txt, line 1: b.txt is a list in a list" in told("a.txt")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "names no source"),
        (b"# nothing\n\n", "names no source"),
        (b"\xff\xfe\0", "is no list"),
        (b"\0", "is no list"),
    ],
)
def test_a_list_without_sources_says_why(tree, content, reason):
    (tree() / "a.txt").write_bytes(content)
    assert f"a.txt {reason}" in told("a.txt")


def test_a_missing_file_names_those_that_are_alike(tree):
    tree("clips/dog_1.mp4", "clips/zebra.mp4")
    assert "clips/dog1.mp4 does not exist; did you mean dog_1.mp4?" in told("clips/dog1.mp4")


def test_a_missing_folder_is_named(tree):
    tree("clips/dog.mp4")
    assert "folder clip does not exist; did you mean clips?" in told("clip/sub/dog.mp4")


def test_a_pattern_without_matches_says_what_there_is(tree):
    tree("clips/dog.mp4", "clips/cat.mp4")
    assert told("clips/*.mov") == "nothing matches clips/*.mov: folder clips holds cat.mp4, dog.mp4"
    assert told("clip/*/*.mp4") == "nothing matches clip/*/*.mp4: clip does not exist; did you mean clips?"


def test_a_pattern_of_other_files_is_told(tree):
    tree("a/x.json", "a/y.csv")
    assert told("a/*") == "a/* matches no video and no image, only x.json, y.csv"


def test_a_folder_without_images_and_videos_says_what_it_holds(tree):
    tree("set/v1/x.json")
    assert "folder set holds folders (v1) and no images" in told("set")


@pytest.mark.parametrize("text", ["", " ", "a\0b", "a" * 5000])
def test_a_source_that_names_nothing_is_refused(tree, text):
    tree("a.mp4")
    assert "names nothing" in told("a.mp4", text)


def test_names_are_unlike_each_other(tree, still):
    tree("x/clip.mp4", "x/clip.avi", "y/clip.mp4", "z/CLIP.mp4", "w/y/clip.mp4", "w2/y/clip.mp4")
    still("clip/0.png")
    given = {
        "x/clip.mp4": "clip",
        "x/clip.avi": "clip.avi",
        "y/clip.mp4": "clip.mp4",
        "z/CLIP.mp4": "z_CLIP.mp4",
        "w/y/clip.mp4": "y_clip.mp4",
        "w2/y/clip.mp4": "y_clip.mp4-2",
    }
    assert names(*given) == list(given.values())


def test_a_name_is_short_and_has_no_odd_characters(tree):
    tree("é" * 120 + ".mp4", "..x\ny.mp4")
    long, odd = names("*.mp4", "..x\ny.mp4")
    assert len(long.encode()) <= 150
    assert odd == "x_y"


def test_the_working_directory_is_named_by_its_folder(tree, still):
    folder = tree()
    still("0.png")
    assert names(".") == [folder.name]


def test_a_link_that_leads_to_itself_repeats_nothing(tree):
    folder = tree("set/a.mp4", "set/b/c.mp4", "set/sub/d.mp4")
    (folder / "set/b/back").symlink_to("..")
    assert found("set/**/*.mp4") == ["set/a.mp4", "set/b/c.mp4", "set/sub/d.mp4"]


def test_a_folder_named_like_a_pattern_may_start_a_pattern(tree):
    tree("odd [1]/a.mp4", "odd 1/b.mp4")
    assert found("odd [1]/*.mp4") == ["odd [1]/a.mp4"]


def test_frames_that_are_links_to_one_image_are_all_read(tree, still):
    folder = tree()
    still("a/0.png")
    for index in (1, 2):
        (folder / f"a/{index}.png").symlink_to("0.png")
    assert find_sources(["a/*.png"])[0].open().promised == 3


def test_a_link_to_nothing_is_told(tree):
    (tree() / "a.mp4").symlink_to("b.mp4")
    assert told("a.mp4") == "a.mp4 is a link to b.mp4, which does not exist"


def test_a_pipe_named_like_a_list_is_not_waited_for(tree):
    os.mkfifo(tree() / "a.txt")
    with pytest.raises(UserError, match=r"a\.txt is a device or a pipe"):
        find_sources(["a.txt"])[0].open()
