"""What is compiled of memcnp-vis, and what else a build takes along; the rest stands in pyproject.toml.

The compiled ops (C++ and CUDA in `mmdet/ops/**/csrc`) become one library, `mmdet/_C*.so`, of custom torch ops. Without
torch or a compiler at build time the package is pure Python, and says so. The environment variable MEMCNP_CUDA decides
about the CUDA part: `0` leaves it out, `1` requires it, unset builds it if nvcc fits torch and a GPU is visible or
TORCH_CUDA_ARCH_LIST is set. With `python setup.py build_ext` a failing compiler is an error; during an install it is a
warning, unless MEMCNP_CUDA=1.

The library does not touch Python, so that a wheel with it fits this Python and all newer ones (cp311-abi3); a wheel
without it is py3-none-any. The configs of `configs/` become `mmdet/configs`; the long description is the README without
its pictures and without links into the checkout.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
CUDA = os.environ.get("MEMCNP_CUDA", "")
INSISTS = CUDA == "1"
STRICT = INSISTS or "build_ext" in sys.argv
# Targets of a build for no GPU in particular: A100, consumer Ampere and newer by their PTX, Hopper.
ARCHITECTURES = ("8.0", "8.6", "9.0")
STRIP = "-Wl,-x" if sys.platform == "darwin" else "-Wl,--strip-all"  # what debuggers read is most of the library
ABI = "cp311"  # the oldest Python that pyproject.toml allows
LINK = re.compile(r"\[([^\[\]]*)\]\((?!\w+://)[^)]*\)")  # into the checkout
PICTURE = re.compile(r"^\[?!\[.*\n(\n\*.*(\n.+)*\n)?", re.MULTILINE)  # with the caption below it


def say(line: str) -> None:
    print(f"memcnp-vis: {line}", file=sys.stderr, flush=True)


def find_nvcc() -> str | None:
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    candidates = [Path(home, "bin", "nvcc") for home in homes]
    candidates += [Path(found) for found in [shutil.which("nvcc")] if found]
    candidates.append(Path("/usr/local/cuda/bin/nvcc"))
    return next((str(path) for path in candidates if path.is_file()), None)


def cuda_home(nvcc: str) -> str:
    """Ask nvcc for the folder of its toolkit, because nvcc may be a link or a wrapper script."""
    lines = subprocess.run([nvcc, "--dryrun", "-x", "cu", os.devnull], capture_output=True, text=True).stderr
    top = re.search(r"^#\$ TOP=(.*)$", lines, re.MULTILINE)
    return str(Path(top.group(1).strip()).resolve() if top else Path(nvcc).resolve().parents[1])


def cuda_refusal(torch_cuda: str | None, nvcc: str | None, nvcc_version: str) -> str:
    """Return why no CUDA code can be built here, "" if it can."""
    if torch_cuda is None:
        return "this torch is a build without CUDA"
    if nvcc is None:
        return "nvcc was not found (put it on PATH or set CUDA_HOME)"
    if nvcc_version.split(".")[0] != torch_cuda.split(".")[0]:
        return f"nvcc is {nvcc_version}, this torch is built with CUDA {torch_cuda}: their major versions must agree"
    return ""


def choose_cuda(torch: ModuleType) -> str:
    """Return the toolkit for CUDA code, "" for none. Sets TORCH_CUDA_ARCH_LIST to the architectures."""
    if CUDA not in ("", "0", "1"):
        raise SystemExit(f"memcnp-vis: MEMCNP_CUDA={CUDA!r} is none of 0, 1 and unset")
    if CUDA == "0":
        say("CUDA part left out: MEMCNP_CUDA=0")
        return ""
    nvcc = find_nvcc()
    output = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout if nvcc else ""
    release = re.search(r"release (\d+\.\d+)", output)
    version = release.group(1) if release else "unknown"
    refusal = cuda_refusal(torch.version.cuda, nvcc, version)
    gpus = torch.cuda.device_count()
    if not refusal and not gpus and not os.environ.get("TORCH_CUDA_ARCH_LIST") and not INSISTS:
        refusal = "no GPU is visible (TORCH_CUDA_ARCH_LIST or MEMCNP_CUDA=1 builds it nevertheless)"
    if refusal:
        if INSISTS:
            raise SystemExit(f"memcnp-vis: MEMCNP_CUDA=1, but {refusal}")
        say(f"CUDA part left out: {refusal}")
        return ""
    if not os.environ.get("TORCH_CUDA_ARCH_LIST"):
        os.environ["TORCH_CUDA_ARCH_LIST"] = ";".join(visible_architectures(torch) or supported_architectures(nvcc))
    home = cuda_home(nvcc)
    say(f"CUDA part: nvcc {version} in {home}, architectures {os.environ['TORCH_CUDA_ARCH_LIST']}")
    return home


def visible_architectures(torch: ModuleType) -> list[str]:
    pairs = {torch.cuda.get_device_capability(index) for index in range(torch.cuda.device_count())}
    return [f"{major}.{minor}" for major, minor in sorted(pairs)]


def supported_architectures(nvcc: str) -> list[str]:
    listed = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True).stdout.split()
    known = [name for name in ARCHITECTURES if f"compute_{name.replace('.', '')}" in listed]
    return [*known[:-1], f"{known[-1]}+PTX"] if known else []


def extension() -> dict:
    """Return the arguments of `setup` that build the library, none if that is impossible."""
    folders = sorted(ROOT.glob("mmdet/ops/**/csrc"))
    sources = [path for folder in folders for path in sorted(folder.glob("*.cpp"))]
    cuda_sources = [path for folder in folders for path in sorted(folder.glob("*.cu"))]
    headers = [path for folder in folders for pattern in ("*.h", "*.cuh") for path in sorted(folder.glob(pattern))]
    compiler = shutil.which(os.environ.get("CXX", "").split(" ")[0] or "c++") or shutil.which("g++")
    missing = "on Windows its sources have not been tried" if sys.platform == "win32" else ""
    try:
        import torch
    except ImportError:
        missing = "torch is not importable at build time (with pip: --no-build-isolation)"
    if not missing and not compiler and not os.environ.get("CXX"):
        missing = "no C++ compiler was found (c++, g++ or $CXX)"
    if missing:
        if INSISTS:
            raise SystemExit(f"memcnp-vis: MEMCNP_CUDA=1, but {missing}")
        say(f"nothing compiled, the package is pure Python: {missing}")
        return {}
    home = choose_cuda(torch)
    if home:
        os.environ["CUDA_HOME"] = home  # cpp_extension reads it when imported
    from torch.utils.cpp_extension import CppExtension, CUDAExtension

    say(f"compiling for torch {torch.__version__} with {os.environ.get('CXX') or compiler}")
    library = (CUDAExtension if home else CppExtension)(
        name="mmdet._C",
        sources=[str(path.relative_to(ROOT)) for path in sources + (cuda_sources if home else [])],
        depends=[str(path.relative_to(ROOT)) for path in headers],
        extra_compile_args={"cxx": ["-O3", "-g0"], "nvcc": ["-O3", "--threads=2"]},
        extra_link_args=[STRIP],
        py_limited_api=True,  # the library does not touch Python: one file for all versions of it
        optional=not STRICT,
    )
    return {"ext_modules": [library], "cmdclass": {"build_ext": build_command()}}


def build_command() -> type:
    from torch.utils.cpp_extension import BuildExtension

    class BuildOps(BuildExtension):
        def finalize_options(self) -> None:
            super().finalize_options()
            self.force = True  # sources depend on MEMCNP_CUDA; ninja knows what is up to date

        def build_extensions(self) -> None:
            try:
                super().build_extensions()
            except Exception as error:
                if STRICT:
                    raise SystemExit(f"memcnp-vis: compiling failed: {error}") from None
                say(f"WARNING: compiling failed, the package is pure Python; `bash compile.sh` shows why ({error})")
                self.extensions = []
                self.distribution.ext_modules = []

    return BuildOps


def description() -> str:
    """Return the README as it can be read alone."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return LINK.sub(r"\1", PICTURE.sub("", text))


class BuildPackage(build_py):
    """Takes the configs along. An installation in place finds them in the checkout."""

    def copies(self) -> dict[str, str]:
        """Return where the configs go: sources by targets, relative to the checkout."""
        found = sorted(path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.py"))
        return {str(Path(self.build_lib, "mmdet", path)): str(path) for path in found}

    def run(self) -> None:
        super().run()
        for target, source in {} if self.editable_mode else self.copies().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target, preserve_mode=False)

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *self.copies().values()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self.copies()]

    def get_output_mapping(self) -> dict[str, str]:
        return {**super().get_output_mapping(), **self.copies()}


class BuildWheel(bdist_wheel):
    """Builds first, as a failing compiler may leave a package of pure Python, whose wheel fits everywhere."""

    def finalize_options(self) -> None:
        if self.distribution.has_ext_modules():
            self.py_limited_api = ABI
        super().finalize_options()

    def run(self) -> None:
        self.run_command("build")
        self.root_is_pure = not self.distribution.has_ext_modules()
        super().run()


commands = {"build_py": BuildPackage, "bdist_wheel": BuildWheel}
arguments = extension()
setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    cmdclass={**commands, **arguments.pop("cmdclass", {})},
    **arguments,
)
