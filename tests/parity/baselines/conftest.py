"""Numbers recorded with the published baselines, and the weights that they were computed with; see BASELINES.md."""

import functools
import json

import numpy as np
import pytest

from mmdet.parity.drawn_weights import drawn_state as draw
from mmdet.parity.drawn_weights import expand_images

GOLDEN_CLASSES = 40  # of fcos, whose key list has COCO's 80


@pytest.fixture(scope="session")
def baselines(shared):
    """The folder with a folder per system: sipmask_vis, masktrack_rcnn, fcos."""
    return shared / "golden_baselines"


@pytest.fixture(scope="session")
def recorded(baselines):
    """Return the arrays of eval.npz and train.npz, and the notes, of a system and seed."""

    @functools.cache
    def read(system, seed):
        folder, arrays = baselines / system / f"seed{seed}", {}
        for name in ("eval", "train"):
            with np.load(folder / f"{name}.npz") as some:
                assert not set(some) & set(arrays)
                arrays |= dict(some)
        return arrays, json.loads((folder / "notes.json").read_text())

    return read


@pytest.fixture(scope="session")
def recorded_parts(baselines):
    """Return the arrays of a system's parts.npz."""
    return functools.cache(lambda system: dict(np.load(baselines / system / "parts.npz")))


@pytest.fixture(scope="session")
def drawn_state(baselines):
    """Return the state dict of a system and seed under the release's names. Do not change its tensors."""

    @functools.cache
    def make(system, seed):
        shapes = json.loads((baselines / system / "state_dict_shapes.json").read_text())
        if system == "fcos":
            classes = {key: shape for key, shape in shapes.items() if "fcos_cls" in key}
            shapes |= {key: [GOLDEN_CLASSES, *shape[1:]] for key, shape in classes.items()}
        return draw(system, seed, shapes)

    return make


@pytest.fixture(scope="session")
def images_of(recorded):
    """Return the images (N, 3, H, W) stored as images_q, img_q or ref_q, normalised and padded."""

    def expanded(system, seed, name="images_q"):
        arrays, notes = recorded(system, seed)
        return expand_images(arrays[name], notes["unit"], notes["img_shape"])

    return expanded


@pytest.fixture
def assert_close_to_maximum():
    """Compare with an array to a tolerance that is relative to its maximum (BASELINES.md 7)."""

    def check(actual, expected, tolerance):
        assert tuple(actual.shape) == expected.shape
        error = np.abs(actual.detach().numpy().astype(np.float64) - expected).max(initial=0)
        assert error <= tolerance * np.abs(expected).max(initial=0), error

    return check
