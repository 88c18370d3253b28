"""What the README says is there: its Python, the files it names, its links and the options of its commands."""

import re
from pathlib import Path

import pytest
from demo_inputs import save_checkpoint, write_video
from programs import program_file

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "tests").rglob("README.md"))
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.split("#")[0].split()
    for language, text in BLOCKS
    if not language
    for line in text.splitlines()
    if line.startswith(("python ", "bash "))
]


def test_the_readme_is_short():
    assert len(README.splitlines()) < 220


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_python_of_a_page_tracks_a_video(page, tmp_path, monkeypatch, capsys):
    checkpoint, video = save_checkpoint(tmp_path / "random.pth"), write_video(tmp_path / "video")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL))
    for name, path in {"CHECKPOINT.pth": str(checkpoint), "VIDEO.mp4": str(video)}.items():
        assert name in code
        code = code.replace(name, path)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(compile(code.replace("configs/demo", str(ROOT / "configs/demo")), page, "exec"), found)
    assert found["result"].num_frames == 3
    assert found["entries"]
    assert {entry["category_id"] for entry in found["entries"]} <= set(range(5))
    assert re.search(r"^frame 2: \d [a-e] 0\.\d\d", capsys.readouterr().out, re.MULTILINE)
    written = list(tmp_path.glob("*.mp4"))
    assert [path.stat().st_size > 1000 for path in written] == [True] * code.count("open_mp4(")


def test_programs_and_configs_that_the_readme_names_are_there():
    named = set(re.findall(r"\b(?:tools|configs|tests|docs)/[\w/]+\.(?:py|sh|md)\b", README))
    assert {"tools/quickstart.sh", "configs/own_data.py"} < named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_options_of_commands_in_the_readme_exist(command):
    program = command[1]
    if program.endswith(".sh"):
        assert (ROOT / program).exists()
        return
    source = program_file(program.removesuffix(".py")).read_text() + "".join(
        path.read_text() for path in (ROOT / "mmdet" / "engine").rglob("*arguments.py")
    )
    for option in (word for word in command if word.startswith("--")):
        name = option.removeprefix("--").replace("-", "_")
        assert re.search(rf"[\"'](--)?({name}|{name.replace('_', '-')})[\"']", source), option


def anchors(page):
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_the_pages_lead_somewhere(page):
    missing = [link for link in anchors(page) if not (page.parent / link.split("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("page", ["docs/results.md", "README.md"])
def test_figures_stand_in_a_log(page):
    logs = "".join(path.read_text() for path in (ROOT / "docs" / "logs").glob("2*.md"))
    tables = "\n".join(line for line in (ROOT / page).read_text().splitlines() if line.startswith("|"))
    figures = set(re.findall(r"(?<![\w.=])\d+\.\d+(?![\w.])", tables))
    assert figures
    assert [figure for figure in figures if figure not in logs] == []
