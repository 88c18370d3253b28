"""Options in both spellings, and switches with and without a value."""

import pytest

from mmdet.config.ranges import Count, Fraction, Seed
from mmdet.engine.process.arguments import CommandParser, within


@pytest.fixture
def parser():
    parser = CommandParser("A program.")
    parser.add_argument("config")
    parser.add_option("work_dir")
    parser.add_option("cfg_options", nargs="+", action="extend", default=[])
    parser.add_switch("validate", "validate, too")
    parser.add_switch("dump_bbox", "write boxes, too")
    return parser


@pytest.mark.parametrize("words", [["--work_dir", "d"], ["--work-dir", "d"], ["--work_dir=d"], ["--work-dir=d"]])
def test_dashes_and_underscores_mean_the_same(parser, words):
    assert parser.parse_args(["c.py", *words]).work_dir == "d"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], False),
        (["--dump_bbox"], True),
        (["--dump-bbox", "True"], True),
        (["--dump-bbox", "False"], False),
        (["--dump_bbox=false"], False),
        (["--dump_bbox", "1"], True),
    ],
)
def test_a_switch_is_bare_or_has_a_value(parser, words, value):
    assert parser.parse_args(["c.py", *words]).dump_bbox is value


def test_a_bare_switch_leaves_the_next_argument_alone(parser):
    args = parser.parse_args(["--validate", "c.py", "--dump-bbox", "--work-dir", "d"])
    assert (args.validate, args.config, args.dump_bbox, args.work_dir) == (True, "c.py", True, "d")


def test_overrides_add_up(parser):
    args = parser.parse_args(["c.py", "--cfg-options", "a=1", "b.c=2", "--cfg_options", "d=--x"])
    assert args.cfg_options == ["a=1", "b.c=2", "d=--x"]


@pytest.mark.parametrize("words", [["--work", "d"], ["--dump_bbox=perhaps"], ["--no_such"]])
def test_mistakes_end_with_code_2(parser, words, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["c.py", *words])
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_help_shows_both_spellings(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    assert "--work-dir" in (shown := capsys.readouterr().out)
    assert "--work_dir" in shown


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (Count, "0", "argument --number: 0, expected 1 or more"),
        (Count, "1.5", "argument --number: expected int, got '1.5'"),
        (Fraction, "30", "argument --number: 30.0, expected from 0 to 1"),
        (Fraction, "nan", "argument --number: nan, expected from 0 to 1"),
        (Seed, "-1", "argument --number: -1, expected from 0 to"),
    ],
)
def test_a_number_outside_of_its_range_is_refused(kind, text, said, capsys):
    parser = CommandParser("A program.")
    parser.add_option("number", type=within(kind))
    with pytest.raises(SystemExit):
        parser.parse_args([f"--number={text}"])
    assert said in capsys.readouterr().err
    assert parser.parse_args(["--number", "1"]).number == 1
