"""The project's files say the same: requirements, versions, extras, and what remakes the environment."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import mmdet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRA = re.compile(r"extra_remedy\(['\"](\w+)")


BUILD = PROJECT["build-system"]["requires"]


def test_the_pip_environment_has_what_builds_the_project_and_its_requirements():
    lines = (ROOT / "env_pip.txt").read_text().splitlines()
    wanted = [*BUILD, *PROJECT["project"]["dependencies"]]
    assert [line for line in lines if line and not line.startswith("#")] == wanted


def test_the_conda_environment_has_the_requirements_of_the_project():
    text = (ROOT / "env_conda.yml").read_text()
    assert re.findall(r"^      - (.+)$", text.split("- pip:")[1], re.MULTILINE) == PROJECT["project"]["dependencies"]
    assert re.findall(r"^  - (\S+[^:\n])$", text, re.MULTILINE) == [
        "conda-forge",
        f"python{PROJECT['project']['requires-python']}",
        "pip",
        *BUILD,
    ]


def test_the_version_stands_in_one_place_and_is_cited():
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "mmdet.__version__"}
    assert f"\nversion: {mmdet.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_package_carries_its_types():
    assert (Path(mmdet.__file__).parent / "py.typed").exists()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["mmdet"]


def test_the_package_carries_its_fonts_and_their_licences():
    fonts = Path(mmdet.__file__).parent / "visualization" / "fonts"
    assert "fonts/*" in PROJECT["tool"]["setuptools"]["package-data"]["mmdet.visualization"]
    assert {path.suffix for path in fonts.iterdir()} == {".ttf", ".txt"}
    assert "recursive-include mmdet/visualization/fonts *.ttf *.txt" in (ROOT / "MANIFEST.in").read_text()


def test_trackeval_has_one_range_of_versions():
    (wanted,) = PROJECT["project"]["optional-dependencies"]["hota"]
    assert f'"{wanted}"' in (ROOT / "tools" / "make_env.sh").read_text()


def test_processes_that_tests_start_import_this_checkout_and_the_helpers(tmp_path):
    code = "import mmdet, tiny_vis; print(mmdet.__file__, tiny_vis.__file__)"
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(ROOT / "mmdet" / "__init__.py"), str(ROOT / "tests" / "helpers" / "tiny_vis.py")]


def hashed(text, tmp_path):
    """What tools/make_env.sh hashes of a pyproject.toml."""
    script = (ROOT / "tools" / "make_env.sh").read_text()
    (command,) = re.findall(r"^  (sed .* pyproject\.toml)$", script, re.MULTILINE)
    (tmp_path / "pyproject.toml").write_text(text)
    return subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def test_the_environment_is_made_anew_for_other_requirements_and_not_for_another_style(tmp_path):
    text = (ROOT / "pyproject.toml").read_text()
    now = hashed(text, tmp_path)
    for requirement in (*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]):
        assert hashed(text.replace(f'"{requirement}"', '"other"'), tmp_path) != now
    assert hashed(text.replace("line-length = 120", "line-length = 100"), tmp_path) == now


def test_a_message_that_names_an_extra_says_what_works_in_a_checkout_too():
    named = [path for path in (ROOT / "mmdet").rglob("*.py") if "memcnp-vis[" in path.read_text(encoding="utf-8")]
    assert named == [ROOT / "mmdet" / "errors.py"]  # extra_remedy, which the others call
    asked = {
        name for path in (ROOT / "mmdet").rglob("*.py") for name in EXTRA.findall(path.read_text(encoding="utf-8"))
    }
    assert {"hota", "export"} <= asked <= set(PROJECT["project"]["optional-dependencies"])
