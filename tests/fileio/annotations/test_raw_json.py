"""A file that is no annotation file is refused in the same words wherever one is read."""

import pytest

from mmdet.datasets import load_vis_json
from mmdet.errors import UserError
from mmdet.fileio.annotations.raw_json import load_ground_truth


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", r"truth.json: expected an object with videos and categories, got a list$"),
        ("{", r"truth.json is not a json file, perhaps cut off while copying"),
        (None, r"truth.json does not exist; data/README.md says where the data goes$"),
    ],
)
@pytest.mark.parametrize("read", [load_vis_json, load_ground_truth])
def test_loading_and_evaluation_say_the_same_of_a_file_that_is_none(tmp_path, read, content, message):
    path = tmp_path / "truth.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        read(path)
