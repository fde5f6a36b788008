"""The built package and the clone install the same files into Home Assistant."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from mediarip_mqtt.homeassistant import shipped_files

ROOT = Path(__file__).parents[2]
ASSETS = "mediarip_mqtt/homeassistant/assets/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / ".HA_VERSION").write_text("2026.11.0")
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_clone_has_the_files_at_its_top() -> None:
    assert shipped_files.folder() == ROOT / "homeassistant"


@pytest.mark.slow
def test_the_wheel_has_every_file_and_nothing_else_of_the_card(wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(ASSETS)]
    assert not [name for name in names if "node_modules" in name or "/src/" in name]
    with zipfile.ZipFile(wheel) as packed:
        packaged = {name.removeprefix(ASSETS): packed.read(name) for name in names}
    in_clone = {one.content for one in shipped_files.shipped_files()}
    assert in_clone <= set(packaged.values())
    for name, content in packaged.items():
        assert (ROOT / "homeassistant" / name).read_bytes() == content


@pytest.mark.slow
def test_an_installed_wheel_installs_what_the_clone_installs(
    wheel: Path, config: Path, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run([*pip, *options], check=True)
    packages = next((venv / "lib").glob("python*/site-packages"))
    dependencies = {path for path in sys.path if path.endswith("site-packages")}
    dependencies.add(sysconfig.get_path("purelib"))
    (packages / "dependencies.pth").write_text("\n".join(dependencies))
    packaged = installed([str(venv / "bin" / "mediarip-mqtt")], config)
    assert packaged == installed([sys.executable, "-m", "mediarip_mqtt"], config)
    assert {one.target for one in shipped_files.shipped_files()} < packaged.keys()


def installed(program: list[str], config: Path) -> dict[str, bytes]:
    """Return the folder's files after an installation, which is then removed."""
    command = [*program, "homeassistant", "install", str(config), "--sentences"]
    # Not in the clone, whose package would be taken.
    subprocess.run(command, cwd=config.parent, capture_output=True, check=True)
    found = tree(config)
    subprocess.run([*command, "--remove"], cwd=config.parent, capture_output=True, check=True)
    assert tree(config).keys() == {".HA_VERSION"}
    return found


def test_the_image_is_built_with_the_files() -> None:
    copied = (ROOT / "Dockerfile").read_text("utf-8")
    assert "COPY homeassistant homeassistant" in copied
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored.index("!homeassistant") < ignored.index("homeassistant/card")
    assert ignored.index("homeassistant/card") < ignored.index("!homeassistant/card/dist")
