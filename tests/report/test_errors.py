import pytest
from made_errors import FRAMES, RING, SQUARE, STAR, shown_in
from made_tracks import SIZE, annotation, box, result

from mmdet.evaluation.tracks.join import join_results, prepare_truth
from mmdet.evaluation.tracks.overlaps import read_overlaps
from mmdet.report.errors import TrackNames, find_errors

PIXELS = FRAMES * SIZE[0] * SIZE[1]
NAMES = {RING: "ring", SQUARE: "square", STAR: "star"}


def errors_of(truth, results):
    case = join_results(prepare_truth(truth), results)[0][0]
    names = TrackNames(
        true_names=[f"{NAMES[own.category_id]} {i}" for i, own in enumerate(case.truths)],
        track_ids=list(range(len(case.results))),
        class_names=[NAMES[own.category_id] for own in case.results],
    )
    return find_errors(case, read_overlaps(case), names)


def said(errors):
    return {event.text: (event.kind, event.first_frame, event.last_frame, event.weight) for event in errors.events}


def test_every_kind_of_error_is_found_with_its_frames_and_its_share_of_the_video(truth, results):
    errors = errors_of(truth, results[:5])
    assert said(errors) == {
        "star 2 is taken for ring (track 3)": ("wrong_class", 0, 3, pytest.approx(400 / PIXELS)),
        "square 1 becomes track 2": ("switched", 3, 3, pytest.approx(300 / PIXELS)),
        "star 2 is missed": ("missed", 4, 5, pytest.approx(200 / PIXELS)),
        "track 4 (star) is no object": ("false", 1, 2, pytest.approx(80 / PIXELS)),
    }
    assert [event.weight for event in errors.events] == sorted((e.weight for e in errors.events), reverse=True)
    assert (errors.missed, errors.false, errors.wrong_class, errors.switches) == (2, 2, 4, 1)


def test_events_name_what_is_concerned_by_its_place(truth, results):
    events = {event.kind: (event.truth, event.prediction) for event in errors_of(truth, results[:5]).events}
    assert events == {"wrong_class": (2, 3), "switched": (1, 2), "missed": (2, None), "false": (None, 4)}


def test_perfect_results_have_no_error(truth):
    perfect = [result(own["category_id"], own["segmentations"]) for own in truth["annotations"]]
    assert errors_of(truth, perfect).events == ()


def test_without_results_every_object_is_missed_once(truth):
    errors = errors_of(truth, [])
    assert {event.text for event in errors.events} == {"ring 0 is missed", "square 1 is missed", "star 2 is missed"}
    assert errors.missed == 18


def test_an_error_that_stops_and_comes_again_is_two_events(truth):
    truth["annotations"] = truth["annotations"][:1]
    errors = errors_of(truth, [result(RING, shown_in((2, 3), box(0)))])
    assert [(event.first_frame, event.last_frame) for event in errors.events] == [(0, 1), (4, 5)]


def test_frames_that_do_not_show_the_object_do_not_end_its_error(truth):
    truth["annotations"] = [annotation(1, RING, 0, FRAMES) | {"segmentations": shown_in((0, 4), box(0))}]
    (event,) = errors_of(truth, []).events
    assert (event.first_frame, event.last_frame, event.weight) == (0, 4, pytest.approx(200 / PIXELS))


def test_an_object_keeps_its_track_while_that_one_still_fits_even_if_another_fits_better(truth):
    truth["annotations"] = truth["annotations"][:1]
    first, better = [box(0)] * 3 + [box(1)] * 3, [None] * 3 + [box(0)] * 3
    errors = errors_of(truth, [result(RING, first), result(RING, better)])
    assert errors.switches == 0
    assert [event.text for event in errors.events] == ["track 1 (ring) is no object"]


def test_an_object_that_comes_back_under_another_id_is_switched_in_its_first_frame(truth):
    truth["annotations"] = truth["annotations"][:1]
    errors = errors_of(truth, [result(RING, shown_in((0, 1), box(0))), result(RING, shown_in((4, 5), box(0)))])
    assert said(errors)["ring 0 becomes track 1"] == ("switched", 4, 4, pytest.approx(200 / PIXELS))


def test_a_mask_in_a_crowd_is_not_false_and_a_crowd_is_not_missed(truth):
    truth["annotations"] = [annotation(1, RING, 0, FRAMES, iscrowd=1)]
    inside = result(RING, shown_in((0,), box(0, width=3)))
    assert errors_of(truth, [inside]).events == ()


def test_frames_without_annotation_do_not_count(truth, results):
    truth["videos"][0]["annotated_frames"] = [0, 4]
    errors = errors_of(truth, results[:5])
    assert (errors.missed, errors.wrong_class, errors.switches) == (1, 1, 1)


def test_a_result_that_ends_early_misses_its_object(truth):
    truth["annotations"] = truth["annotations"][:1]
    assert errors_of(truth, [result(RING, [box(0)] * 4)]).missed == 2
