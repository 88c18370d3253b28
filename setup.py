"""Packaging of memcnp-vis: the importable package is `mmdet`, the distribution `memcnp-vis`.

Installs without torch or a compiler at build time. Compiled ops live in `mmdet/ops/NAME/csrc`; where such sources,
torch and a compiler are present they are built (see compile.sh), otherwise the package is pure Python.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements() -> list[str]:
    lines = (ROOT / "env_pip.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


setup(
    name="memcnp-vis",
    version="0.1.0",
    description="Video instance segmentation with a memory-based conditional neural process (MemCNP-VIS)",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["mmdet", "mmdet.*"]),
    install_requires=requirements(),
    extras_require={
        "video": ["av>=14"],
        "dev": ["av>=14", "hypothesis", "mypy>=1.15", "pre-commit", "pytest>=8", "pytest-timeout", "ruff>=0.12"],
    },
)
