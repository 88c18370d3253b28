"""Exported files compute what PyTorch computes, for any number of frames."""

import json

import onnx
import onnxruntime
import pytest
import torch
from made_exports import SIZE, SLOTS, make_job, widened
from small_model import small_model
from torch._inductor.exc import InvalidCxxCompiler

from mmdet.config import load_config
from mmdet.config.names import CONFIGS
from mmdet.engine.exporting import onnx_format, torch_formats
from mmdet.engine.exporting.comparing import TOLERANCE, differences
from mmdet.engine.exporting.deployed import DeployedModel
from mmdet.engine.exporting.job import ExportJob
from mmdet.engine.process.precision import float32_products
from mmdet.errors import UserError
from mmdet.models import VISModel
from mmdet.models.build import build_model
from mmdet.models.postprocess.masks import draw_all
from mmdet.structures import FrameMeta

CASES = [("published", True), ("plus", True)]  # without masks: tests/command_lines/test_export.py
NAMES = ["filled", "boxes", "labels", "scores", "box_sigma", "centerness", "embeddings"]
MASK_PARTS = {
    "published": ["coefficients", "mask_basis"],
    "plus": ["mask_weights", "mask_places", "mask_features"],
}


def assert_equal_to_pytorch(job, run, counts=(1, 3)):
    for count in counts:
        images = job.frames(count)
        expected, found = job.run(images), run(images)
        assert expected["filled"].sum() >= 4 * count  # there is something to compare
        assert found["filled"].shape == (count, SLOTS)
        assert {one.name: one.share for one in differences(expected, found) if one.share > TOLERANCE} == {}


@pytest.fixture(scope="module", params=CASES, ids=["published", "plus"])
def written(request, tmp_path_factory):
    family, masks = request.param
    job = make_job(family, masks)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    onnx_format.write_onnx(job, path)
    return family, masks, job, path


def test_onnx_runtime_computes_what_pytorch_computes_for_any_number_of_frames(written):
    *_, job, path = written
    assert_equal_to_pytorch(job, onnx_format.load_onnx(path, job))


def test_the_outputs_of_an_onnx_file_are_named_and_have_fixed_slots(written):
    family, masks, _, path = written
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    shapes = {output.name: output.shape for output in session.get_outputs()}
    classes = ["class_scores"] if family == "plus" else []
    assert sorted(shapes) == sorted(NAMES + classes + (["masks"] if masks else MASK_PARTS[family]))
    assert shapes["boxes"] == ["batch", SLOTS, 4]
    if masks:
        assert shapes["masks"] == ["batch", SLOTS, *SIZE]
    (images,) = session.get_inputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["batch", 3, *SIZE])


def test_an_onnx_file_says_what_it_is_and_nothing_of_the_machine(written):
    *_, path = written
    model = onnx.load(path)
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [onnx_format.OPSET]
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == {"size": [50, 75]}
    assert b"site-packages" not in path.read_bytes()
    assert b"/mmdet/" not in path.read_bytes()


def test_a_graph_of_torch_computes_the_same_for_any_number_of_frames(tmp_path):
    job, path = make_job("plus"), tmp_path / "model.pt2"
    torch_formats.write_graph(job, path)
    assert_equal_to_pytorch(job, torch_formats.load_graph(path, job))
    said = {"about.json": ""}
    torch.export.load(path, extra_files=said)
    assert json.loads(said["about.json"]) == {"size": "[50, 75]"}


@pytest.mark.filterwarnings("ignore:.*torch.jit.load:FutureWarning")
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("family", ["published", "plus"])
def test_a_trace_computes_the_same_for_any_number_of_frames(family, masks, tmp_path):
    job, path = make_job(family, masks), tmp_path / "model.ts"
    torch_formats.write_trace(job, path)
    assert_equal_to_pytorch(job, torch_formats.load_trace(path, job))
    said = {"about.json": ""}
    torch.jit.load(path, _extra_files=said)
    assert json.loads(said["about.json"]) == {"size": "[50, 75]"}


@pytest.mark.slow
def test_the_published_model_of_full_width_is_computed_alike(tmp_path):
    torch.manual_seed(0)
    model = widened(build_model(load_config(CONFIGS / "vitmae_cnp_contrast_ms_1x.py")))
    job = ExportJob(deployed=DeployedModel(model, (64, 96)).eval(), batch=1, about={})
    onnx_format.write_onnx(job, tmp_path / "model.onnx")
    run = onnx_format.load_onnx(tmp_path / "model.onnx", job)
    expected, found = job.run(job.frames()), run(job.frames())
    assert expected["filled"].sum() >= 4
    assert {one.name: one.share for one in differences(expected, found) if not one.is_small} == {}


class Brightness(torch.nn.Module):
    """Stands for a model: a whole one takes minutes to compile on a CPU. docs/export.md says how near those are."""

    size = SIZE

    def forward(self, images):
        means = images.float().mean(dim=(2, 3))
        return {"filled": means > 0, "scores": means / 255}


@pytest.mark.slow
def test_a_compiled_library_computes_the_same_for_any_number_of_frames(tmp_path):
    job = ExportJob(deployed=Brightness(), batch=None, about={"size": "[50, 75]"})
    torch_formats.write_compiled(job, tmp_path / "model.pt2")
    run = torch_formats.load_compiled(tmp_path / "model.pt2", job)
    for count in (1, 3):
        assert all(one.is_small for one in differences(job.run(job.frames(count)), run(job.frames(count))))
    assert run.get_metadata()["size"] == "[50, 75]"


def test_without_a_compiler_the_remedy_is_said_and_nothing_is_written(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise InvalidCxxCompiler

    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", refuse)
    job = ExportJob(deployed=Brightness(), batch=1, about={})
    with pytest.raises(UserError, match="needs a C.. compiler: install g.., or name one in CXX"):
        torch_formats.write_compiled(job, tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.cuda
@pytest.mark.parametrize("family", ["published", "plus"])
def test_a_library_compiled_for_a_gpu_computes_the_same(family, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    job, path = make_job(family, masks=True, device="cuda"), tmp_path / "model.pt2"
    torch_formats.write_compiled(job, path)
    with float32_products(exact=True):
        assert_equal_to_pytorch(job, torch_formats.load_compiled(path, job))


def test_a_model_that_looks_at_earlier_frames_is_refused():
    model = VISModel(**small_model(), temporal_neck={"type": "TemporalCalibration", "patch_size": 2})
    with pytest.raises(UserError, match="a model with a temporal neck cannot be exported"):
        DeployedModel(model, SIZE)


def test_a_model_of_another_kind_is_refused():
    with pytest.raises(UserError, match="Linear cannot be exported: expected VISModel or PlusModel"):
        DeployedModel(torch.nn.Linear(1, 1), SIZE)


@pytest.mark.parametrize("family", ["published", "plus"])
def test_masks_drawn_in_the_model_are_those_of_this_package(family):
    job = make_job(family, masks=True)
    images = job.frames(2)
    meta = FrameMeta(video_id=1, frame_index=0, original_size=SIZE, input_size=SIZE, scale=1.0)
    with torch.no_grad():
        outputs = job.deployed.model(images[:, None], torch.ones_like(images[:, None, 0], dtype=torch.bool))
        found = draw_all(job.deployed.model.postprocess.detect(outputs, [meta, meta]), meta)
    assert found.masks.any(dim=(2, 3)).sum() >= SLOTS
    assert job.run(images)["masks"].equal(found.masks)


def test_a_difference_is_a_share_of_the_largest_number_and_counts_filled_slots_alone():
    expected = {"filled": torch.tensor([[True, False]]), "scores": torch.tensor([[4.0, 0.0]])}
    found = {"filled": torch.tensor([[True, False]]), "scores": torch.tensor([[3.0, 9.0]])}
    assert [(one.name, one.share, one.is_small) for one in differences(expected, found)] == [
        ("filled", 0.0, True),
        ("scores", 0.25, False),
    ]
    found["scores"][0, 0] = torch.nan
    assert not differences(expected, found)[1].is_small
