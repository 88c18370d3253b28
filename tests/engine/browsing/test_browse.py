"""What is drawn of a training pair is what the model gets and what its points learn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from made_set import write_set
from small_model import small_fcos_model, small_model

from mmdet.config import DataSection, EvalData, RunConfig, RuntimeSection, ScheduleSection, TrainData
from mmdet.datasets import make_train_loader
from mmdet.engine.browsing.lessons import make_lessons
from mmdet.engine.browsing.pairs import browse_batches
from mmdet.engine.browsing.run import INDEX, BrowseOptions, browse
from mmdet.engine.browsing.views import untaught, view_pair
from mmdet.engine.training.run import build_train_dataset
from mmdet.errors import UserError
from mmdet.models.build import build_model

BOX, OTHER = (8, 16, 40, 48), (56, 8, 88, 40)
TWO_OBJECTS = {7: [(1, False, [BOX, BOX, OTHER]), (2, False, [OTHER, None, BOX])]}


def make_config(*sets, transforms=(), batch_size=2, **train):
    parts = [{"type": "VISDataset", "transforms": list(transforms), **part} for part in sets]
    model = {"type": "VISModel", **small_model()}
    model["head"] = {**model["head"], "num_classes": 2}
    return RunConfig(
        model=model,
        tracker={"type": "Tracker"},
        data=DataSection(
            train=TrainData(datasets=parts, batch_size=batch_size, workers=0, **train),
            test=EvalData(dataset=parts[0]),
        ),
        optimizer={"type": "SGD", "lr": 0.1},
        schedule=ScheduleSection(steps=1),
        runtime=RuntimeSection(),
        source=None,
    )


def first_view(config, index=0, epoch=0):
    browsed = next(browse_batches(config, build_train_dataset(config), epoch, print))
    lessons = make_lessons(browsed, build_model(config), runs=False)
    return view_pair(browsed, lessons, index, "pair"), browsed, lessons


def text_of(view):
    return "\n".join(line.text for line in view.lines)


def test_the_pairs_are_those_of_training(tmp_path):
    config = make_config(write_set(tmp_path, TWO_OBJECTS), transforms=[{"type": "RandomFlip", "probability": 0.5}])
    loader = make_train_loader(build_train_dataset(config), 2, 0, config.runtime.seed)
    loader.batch_sampler.set_position(3)
    trained_on = list(loader)
    browsed = list(browse_batches(config, build_train_dataset(config), 3, print))
    assert len(browsed) == len(trained_on) == 2
    for one, other in zip(browsed, trained_on, strict=True):
        assert torch.equal(one.batch.images, other.images)
        assert torch.equal(one.batch.truth.reference_boxes, other.truth.reference_boxes)
        assert one.batch.metas == other.metas
        view = view_pair(one, make_lessons(one, build_model(config), runs=False), 1, "pair")
        assert np.array_equal(view.key.picture, other.images[1, 0].permute(1, 2, 0).numpy())
        assert np.array_equal(view.references[0].picture, other.images[1, 1].permute(1, 2, 0).numpy())


def test_an_object_has_one_colour_in_both_frames(tmp_path):
    view, _, _ = first_view(make_config(write_set(tmp_path, TWO_OBJECTS)))
    colors = [{item.tag: item.color for item in frame.objects} for frame in (view.key, *view.references)]
    shared = colors[0].keys() & colors[1].keys()
    assert shared
    assert all(colors[0][tag] == colors[1][tag] for tag in shared)
    assert len(set(colors[0].values()) | set(colors[1].values())) == len(colors[0].keys() | colors[1].keys())


def test_reference_boxes_are_shown_as_annotated_and_as_jittered(tmp_path):
    view, browsed, _ = first_view(make_config(write_set(tmp_path, {7: [(1, False, [BOX, BOX])]})))
    (item,) = view.references[0].objects
    assert item.box == BOX
    assert item.jittered_box == pytest.approx(browsed.batch.truth.reference_boxes[0, 0].tolist())
    assert item.jittered_box != pytest.approx(BOX)


def test_points_are_in_the_box_and_counted_by_level(tmp_path):
    view, _, _ = first_view(make_config(write_set(tmp_path, {7: [(1, False, [BOX, BOX])]})))
    assert view.strides == (8, 16, 32, 64)
    assert np.bincount(view.positives.levels, minlength=4).tolist() == [4, 4, 2, 1]
    x1, y1, x2, y2 = BOX
    assert (((x1, y1) <= view.positives.xy) & (view.positives.xy <= (x2, y2))).all()
    assert "positive 4/4/2/1" in text_of(view)


def test_an_object_that_gets_no_point_is_red(tmp_path):
    inner = (16, 24, 32, 40)  # its centre is that of the outer one, which comes first
    view, browsed, lessons = first_view(
        make_config(write_set(tmp_path, {7: [(1, False, [BOX, BOX]), (2, False, [inner, inner])]}))
    )
    assert untaught(browsed, lessons, 0) == [1]
    assert [line.text for line in view.lines if line.alarming] == [view.lines[1].text, view.lines[3].text]
    assert view.lines[1].text.endswith("WITHOUT ANY POSITIVE POINT: 12 cat")
    assert "NO POSITIVE POINT" in view.lines[3].text


def test_points_that_are_chosen_by_range_are_those_of_training_and_nothing_is_written(tmp_path):
    config = make_config(write_set(tmp_path, TWO_OBJECTS))
    parts = small_fcos_model()
    config = replace(config, model={"type": "VISModel", **parts, "head": {**parts["head"], "num_classes": 2}})
    view, browsed, lessons = first_view(config)
    found = build_model(config).criterion.assigner(lessons.points, browsed.batch.truth_of_pairs)
    assert found.positive.any(dim=1).all()
    for index in range(2):
        assert torch.equal(lessons.learning(index), found.positive[index])
    assert lessons.memory is None
    assert "memory" not in text_of(view)


def test_points_write_the_smallest_object_that_they_are_in(tmp_path):
    inner = (12, 20, 28, 36)
    view, _, _ = first_view(make_config(write_set(tmp_path, {7: [(1, False, [BOX, BOX]), (2, False, [inner, inner])]})))
    x1, y1, x2, y2 = inner
    x, y = view.memory.xy.T
    in_inner = (x1 < x) & (x < x2) & (y1 < y) & (y < y2)
    assert view.memory.rows.tolist() == in_inner.astype(int).tolist()
    assert 0 < in_inner.sum() < len(in_inner)


def test_crowds_are_named_and_teach_nothing(tmp_path):
    view, _, _ = first_view(make_config(write_set(tmp_path, {7: [(1, False, [BOX, BOX]), (2, True, [OTHER, OTHER])]})))
    assert [item.is_crowd for item in view.key.objects] == [False, True]
    assert view.references[0].objects[1].jittered_box is None
    assert view.references[0].objects[1].color == view.key.objects[1].color
    assert "1 object; 1 crowd region" in text_of(view)
    assert set(view.positives.rows) | set(view.memory.rows) == {0}


def test_a_still_is_said_to_be_paired_with_itself(tmp_path):
    view, _, _ = first_view(make_config(write_set(tmp_path, {7: [(1, False, [BOX])]})))
    assert "v7/00000.png + v7/00000.png (paired with itself)" in view.lines[0].text


def test_a_key_whose_objects_were_cut_away_is_drawn_empty(tmp_path):
    config = make_config(write_set(tmp_path, {7: [(1, False, [BOX, BOX])]}))
    browsed = next(browse_batches(config, build_train_dataset(config), 0, print))
    samples = tuple(replace(s, truths=tuple(t[:0] for t in s.truths)) for s in browsed.samples)
    empty = browsed.batch.truth.map_tensors(torch.zeros_like)
    browsed = replace(browsed, samples=samples, batch=replace(browsed.batch, truth=empty))
    view = view_pair(browsed, make_lessons(browsed, build_model(config), runs=False), 0, "pair")
    assert view.lines[1].text.startswith("0 objects; positive points by stride: 0 at 8")
    assert not view.lines[1].alarming


def test_frames_of_mixed_sets_are_named_from_their_own_set(tmp_path):
    one = write_set(tmp_path / "one", {7: [(1, False, [BOX, BOX])]}, seed=1)
    two = write_set(tmp_path / "two", {7: [(1, False, [BOX, BOX])], 8: [(2, False, [OTHER, OTHER])]}, seed=2)
    config = make_config(one, two, batch_size=6, ratios=[1, 1])
    browsed = next(browse_batches(config, build_train_dataset(config), 0, print))
    sources = [source.ann_file for source in browsed.sources]
    assert set(sources) == {one["ann_file"], two["ann_file"]}
    for source, sample in zip(browsed.sources, browsed.samples, strict=True):
        path = f"{source.img_prefix}/v{sample.metas[0].video_id}/{sample.metas[0].frame_index:05d}.png"
        assert np.array_equal(sample.images[0].permute(1, 2, 0).numpy(), cv2.imread(path)[..., ::-1])


def test_the_index_lists_every_sheet_and_the_untaught_in_red(tmp_path, capsys):
    inner = (16, 24, 32, 40)
    config = make_config(write_set(tmp_path, {7: [(1, False, [BOX, BOX]), (2, False, [inner, inner])]}))
    said = browse(config, BrowseOptions(out=tmp_path / "out", number=2), print)
    assert said == f"{tmp_path / 'out' / INDEX}: 2 pairs, 4 objects, 2 without any positive point"
    page = (tmp_path / "out" / INDEX).read_text()
    assert page.count('src="pair_000') == 2
    assert page.count('class="alarm"') == 2
    assert cv2.imread(str(tmp_path / "out/pair_0001.jpg")).shape[1] >= 900
    assert "pair_0001.jpg: epoch 0, batch 0, pair 1" in capsys.readouterr().out


def test_sheets_of_an_earlier_call_are_replaced_and_those_of_others_stay(tmp_path):
    config, out = make_config(write_set(tmp_path, TWO_OBJECTS)), tmp_path / "out"
    browse(config, BrowseOptions(out=out, number=3), print)
    (out / "pair_mine.jpg").write_bytes(b"a picture of somebody else")
    browse(config, BrowseOptions(out=out, number=1), print)
    assert {path.name for path in out.iterdir()} == {"pair_0000.jpg", "pair_mine.jpg", INDEX}


@pytest.mark.parametrize("name", ["pair_0000.jpg", INDEX])
def test_a_foreign_file_is_not_written_over(tmp_path, name):
    config, out = make_config(write_set(tmp_path, TWO_OBJECTS)), tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name} is not .* of this program and would be overwritten"):
        browse(config, BrowseOptions(out=out, number=1), print)
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [(name, "mine")]


def test_a_folder_that_holds_the_set_is_refused(tmp_path):
    config = make_config(write_set(tmp_path, TWO_OBJECTS))
    with pytest.raises(UserError, match="holds the input"):
        browse(config, BrowseOptions(out=tmp_path), print)


def test_an_unreadable_frame_ends_it_as_it_ends_training(tmp_path, monkeypatch):
    monkeypatch.setattr("mmdet.datasets.readable.RETRY_PAUSE_S", 0)
    config = make_config(write_set(tmp_path, TWO_OBJECTS))
    for path in (tmp_path / "images/v7").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"v7/0000\d.png .*max_bad_frames"):
        browse(config, BrowseOptions(out=tmp_path / "out"), print)


def test_an_early_end_leaves_an_index_of_what_is_drawn(tmp_path):
    config, out, said = make_config(write_set(tmp_path, TWO_OBJECTS)), tmp_path / "out", []

    def say(line):
        said.append(line)
        if "pair_0002.jpg" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        browse(config, BrowseOptions(out=out, number=4), say)
    assert (out / INDEX).read_text().count("<img") == 2
    assert {path.name for path in out.iterdir()} == {"pair_0000.jpg", "pair_0001.jpg", INDEX}


def test_the_seed_changes_the_pairs_and_the_same_seed_does_not(tmp_path, capsys):
    boxes = [(x, 16, x + 32, 48) for x in range(12)]
    config = make_config(write_set(tmp_path, {7: [(1, False, boxes)]}))

    def lines(**options):
        browse(config, BrowseOptions(out=tmp_path / "out", number=4, **options), print)
        return capsys.readouterr().out

    assert lines(seed=1) == lines(seed=1)
    assert lines(seed=1) != lines(seed=2)
    assert lines(seed=1) != lines(seed=1, epoch=1).replace("epoch 1", "epoch 0")


def test_the_test_split_is_drawn_with_its_own_transforms(tmp_path, capsys):
    config = make_config(write_set(tmp_path, TWO_OBJECTS))
    smaller = {
        **config.data.test.dataset,
        "transforms": [{"type": "ResizeKeepRatio", "long_edge": 48, "short_edge": 32}],
    }
    config = replace(config, data=replace(config.data, test=replace(config.data.test, dataset=smaller)))
    browse(config, BrowseOptions(out=tmp_path / "out", number=1, split="test"), print)
    assert "96x64 px as 48x32 in 64x32" in capsys.readouterr().out


def test_all_references_of_a_longer_clip_are_shown(tmp_path):
    part = {**write_set(tmp_path, {7: [(1, False, [BOX, OTHER, BOX, OTHER])]}), "clip_length": 3}
    view, browsed, _ = first_view(make_config(part))
    assert len(view.references) == 2
    for place, frame in enumerate(view.references, start=1):
        assert np.array_equal(frame.picture, browsed.batch.images[0, place].permute(1, 2, 0).numpy())
        assert frame.objects[0].color == view.key.objects[0].color
    assert text_of(view).count("gap ") == 2
