"""Result files as pickles: by --load_result, tools/eval_results.py and tools/submission.py."""

import pickle

from hostile import damaged, damages, documents, hostile, refused_or_read
from hostile_pickles import FOREIGN, programs
from hypothesis import given
from hypothesis import strategies as st
from sound_documents import RESULTS, TRUTH

from mmdet.errors import UserError
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.fileio.results.result_file import load_results, write_results


def load(path, data):
    path.write_bytes(data)
    entries = refused_or_read(lambda: load_results(path), UserError)
    if entries is not None:
        refused_or_read(lambda: evaluate(TRUTH, entries), UserError)
        refused_or_read(lambda: write_results(path.with_name("copy.pkl"), entries), UserError, TypeError, ValueError)
    return entries


@hostile(4)
@given(documents(RESULTS), st.integers(0, 5), damages)
def test_pickles_of_results_are_read_or_refused(folder, document, protocol, damage):
    load(folder / "results.pkl", damaged(pickle.dumps(document, protocol), damage))


@hostile(4)
@given(st.sampled_from(FOREIGN), st.sampled_from(["", "score", "video_id", "more"]), st.integers(0, 5), damages)
def test_pickles_that_name_anything_are_refused_and_nothing_is_called(folder, foreign, key, protocol, damage):
    document = [{**RESULTS[0], key: foreign} if key else foreign, *RESULTS[1:]]
    data = pickle.dumps(document, protocol)
    assert load(folder / "foreign.pkl", data) is None
    load(folder / "foreign.pkl", damaged(data, damage))


@hostile(4)
@given(programs)
def test_any_program_of_pickle_instructions_ends(folder, program):
    load(folder / "program.pkl", program + b".")


shared = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([list, tuple, dict])), min_size=1, max_size=25)


@hostile(4)
@given(shared, st.booleans(), st.sampled_from(["segmentations", "score", "video_id", "category_id", "more"]))
def test_lists_inside_of_themselves_and_named_over_and_over_are_refused_or_read(folder, plan, loop, key):
    node = [None]
    root = node
    for count, kind in plan:
        node = dict.fromkeys(range(count), node) if kind is dict else kind([node] * count)
    if loop:
        root.append(node)
    entry = {**RESULTS[0], key: node if key != "segmentations" else [node, node]}
    load(folder / "shared.pkl", pickle.dumps([entry]))
