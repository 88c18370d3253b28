"""The table of commands: a line for each. Nothing of a command is imported before it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True, slots=True)
class Command:
    """A command: `module` of mmdet.cli has its `main`, which reads sys.argv and returns an exit code or None."""

    name: str
    module: str
    summary: str

    def load(self) -> Callable[[], int | None]:
        """Return the command's `main`."""
        main: Callable[[], int | None] = import_module(f"mmdet.cli.{self.module}").main
        return main


COMMANDS = (
    Command("train", "models.train", "train a model as a config describes it"),
    Command("test", "models.test_video", "test a model on the videos of a data set: results, figures, pictures"),
    Command("predict", "models.predict", "track the objects of your own videos"),
    Command(
        "convert-checkpoint", "models.convert_checkpoint", "write a checkpoint's weights under the names used here"
    ),
    Command("export", "models.export", "write a model for use without this package: ONNX, AOTInductor and others"),
    Command("configs", "configs", "list the configs that come along, or copy one to start your own from"),
    Command("convert", "data.convert", "turn labels of other formats into a set to train on"),
    Command("extract-frames", "data.extract_frames", "write the frames of videos as files, ready for labelling"),
    Command("check-data", "data.check_data", "check annotations and their frames, and what to write into a config"),
    Command("browse", "data.browse_dataset", "draw training pairs as the model gets them"),
    Command("split", "data.make_split", "hold whole videos back for validation"),
    Command("make-demo-data", "data.make_demo_data", "generate the demo set"),
    Command("eval", "results.eval_results", "score a result file against the ground truth"),
    Command("report", "results.report", "make one page of results: figures, errors, a player of every video"),
    Command("export-results", "results.export_results", "turn results into files of labelling tools, to be corrected"),
    Command("compare-runs", "results.compare_runs", "put training runs side by side: figures, curves, settings"),
    Command("submission", "results.submission", "check a result file and pack it for an evaluation server"),
    Command("model-info", "measures.model_info", "say what a model is made of: parameters, operations, levels"),
    Command("benchmark", "measures.benchmark", "measure speed"),
    Command("measure-memory", "measures.measure_memory", "measure memory over a long video"),
)
