"""What a build makes of the checkout: the wheel's files and tag, the configs in it, the description."""

import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from mmdet.cli.commands import COMMANDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# torch cannot be imported in this build, so that nothing is compiled
PURE = """
import sys
sys.modules["torch"] = None
sys.argv = ["setup.py", "--quiet", "bdist_wheel", "--dist-dir", "{out}"]
exec(compile(open("setup.py", encoding="utf-8").read(), "setup.py", "exec"), {{"__file__": "{setup}", "__name__": "x"}})
"""


def files_of_the_project():
    """Return the files that a checkout has, of those that a build takes from."""
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-co",
            "--exclude-standard",
            "mmdet",
            "configs",
            "*.py",
            "*.toml",
            "*.in",
            "*.md",
            "LICENSE",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of pure Python, built from a copy of the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for name in files_of_the_project():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    code = PURE.format(out=out, setup=source / "setup.py")
    built = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "the package is pure Python" in built.stderr
    (path,) = out.iterdir()
    with zipfile.ZipFile(path) as file:
        yield path.name, {name: file.read(name) for name in file.namelist()}


def test_a_wheel_without_compiled_ops_fits_every_python(wheel):
    name, _ = wheel
    assert re.fullmatch(r"memcnp_vis-[\d.]+-py3-none-any\.whl", name)


def test_a_wheel_has_every_module_and_every_file_that_a_module_reads(wheel):
    _, content = wheel
    wanted = {name for name in files_of_the_project() if name.startswith("mmdet/") and "/csrc/" not in name}
    assert wanted - content.keys() <= {"mmdet/ops/correlation/README.md"}
    assert not [name for name in content if "/csrc/" in name or name.startswith("tests/")]


def test_a_wheel_has_the_configs_as_they_are(wheel):
    _, content = wheel
    configs = [name for name in files_of_the_project() if name.startswith("configs/")]
    assert "configs/_base_/memcnp.py" in configs
    assert all(content[f"mmdet/{name}"] == (ROOT / name).read_bytes() for name in configs)
    assert len([name for name in content if name.startswith("mmdet/configs/")]) == len(configs)


def test_the_command_comes_with_a_wheel(wheel):
    _, content = wheel
    (entries,) = (content[name] for name in content if name.endswith("/entry_points.txt"))
    assert entries.decode().split() == ["[console_scripts]", "memcnp", "=", "mmdet.cli.main:main"]
    assert all(f"mmdet/cli/{command.module.replace('.', '/')}.py" in content for command in COMMANDS)


def test_the_description_leads_nowhere_into_the_checkout(wheel):
    _, content = wheel
    (metadata,) = (message_from_bytes(content[name]) for name in content if name.endswith("/METADATA"))
    text = metadata.get_payload()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert text.lstrip().startswith("# memcnp-vis\n")
    assert "\n## In Python\n" in text
    assert "![" not in text
    assert re.findall(r"\]\((?!\w+://)", text) == []
    assert "Held-out videos" not in text  # a caption without its picture


def test_a_wheel_carries_all_licences(wheel):
    _, content = wheel
    (metadata,) = (message_from_bytes(content[name]) for name in content if name.endswith("/METADATA"))
    assert metadata["License-Expression"] == "Apache-2.0"
    licences = [name for name in files_of_the_project() if Path(name).name == "LICENSE" or ".LICENSE." in name]
    assert sorted(metadata.get_all("License-File")) == sorted(licences)
    assert len([name for name in content if "/licenses/" in name]) == len(licences)


def test_a_compiled_wheel_is_one_for_all_newer_pythons():
    (abi,) = re.findall(r'^ABI = "(\w+)"', (ROOT / "setup.py").read_text(), re.MULTILINE)
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert abi == f"cp{oldest.replace('.', '')}"


def test_the_sources_of_the_compiled_ops_and_the_configs_are_in_a_source_distribution():
    kept = re.findall(r"^recursive-include (\S+) (.*)$", (ROOT / "MANIFEST.in").read_text(), re.MULTILINE)

    def is_kept(name):
        return any(
            Path(name).match(pattern)
            for folder, patterns in kept
            if name.startswith(f"{folder}/")
            for pattern in patterns.split()
        )

    missing = [
        name
        for name in files_of_the_project()
        if name.startswith(("mmdet/ops", "configs/", "mmdet/report/web")) and not is_kept(name)
    ]
    assert [name for name in missing if not name.endswith(".py") and not name.endswith("README.md")] == []
    assert [name for name in missing if name.startswith("configs/")] == []
