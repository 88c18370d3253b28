"""Draw the README's picture: held-out videos of the demo set, one row per video, with the quickstart model's tracks.

python tools/demo_picture.py workdir/demo/results.pkl --out docs/demo.jpg [--videos 5 4 7 6] [--frames 0 3 6 9]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmdet.config import find_config, load_config
from mmdet.config.ranges import Fraction, Natural
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.engine.process.endings import run_command_line
from mmdet.fileio.overwriting import check_output_files

FACTOR = 2


def main() -> None:
    """Write the picture."""
    parser = CommandParser(description="Draw a contact sheet of results.")
    parser.add_argument("results", help="result file of test_video.py --dump_bbox on the demo set")
    parser.add_argument("--out", type=Path, default=Path("docs/demo.jpg"))
    parser.add_argument("--config", default="configs/demo/memcnp_demo.py")
    parser.add_argument(
        "--videos", type=within(Natural), nargs="+", default=[5, 4, 7, 6], help="positions in the data set"
    )
    parser.add_argument("--frames", type=within(Natural), nargs="+", default=[0, 3, 6, 9])
    parser.add_argument("--thresh", type=within(Fraction), default=0.4)
    args = parser.parse_args()
    args.config = str(find_config(args.config))
    from mmdet.engine.inference.testing.dataset import build_test_dataset
    from mmdet.evaluation.loaded_results import rebuild_results
    from mmdet.fileio.pictures.frame_files import frame_path
    from mmdet.fileio.pictures.image_decoding import read_image
    from mmdet.fileio.results.result_file import load_results
    from mmdet.visualization.contact_sheet import write_sheet
    from mmdet.visualization.draw import contact_sheet, draw_objects, enlarge
    from mmdet.visualization.objects import objects_of_frame

    dataset = build_test_dataset(load_config(args.config).data.test, "config.data.test")
    frames = [frame_path(dataset.img_prefix, name) for video in dataset.videos for name in video.file_names]
    check_output_files({"--out": args.out}, [args.results, args.config, dataset.ann_file, *frames])
    entries = load_results(args.results)
    results = rebuild_results(entries, dataset.videos, dataset.category_ids, dataset.ann_file)
    pictures = []
    for position in args.videos:
        video, result = dataset.videos[position], results[position]
        kept = replace(result, tubes=tuple(tube for tube in result.tubes if tube.score >= args.thresh))
        for frame in args.frames:
            image = read_image(frame_path(dataset.img_prefix, video.file_names[frame]), video.size)
            objects = objects_of_frame(kept, frame, dataset.class_names)
            pictures.append(draw_objects(*enlarge(image, objects, FACTOR)))
    sheet = contact_sheet(pictures, columns=len(args.frames))
    write_sheet(args.out, sheet)
    print(f"{args.out}: {sheet.shape[1]}x{sheet.shape[0]}")


if __name__ == "__main__":
    run_command_line(main)
