"""The layer as it was built, led to instead of packed: the emulator would unpack it for each worker anew.

That takes seconds, for thousands of small files. So the built folder is moved aside under a name made of its
contents, and a layer with a single file takes its place. When a worker starts, this file puts the built folder
first on its path, and takes the emulator's own packages off it. So a function runs on exactly what the layer holds:
what is missing there is missing here.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

DIGEST_LENGTH = 16


def link_layer(built: Path, layers: Path, python: str) -> Path:
    """Moves the built layer among the layers, and leaves the one that leads to it. Returns where it is now."""
    layer = layers / _digest(built)
    layers.mkdir(parents=True, exist_ok=True)
    if layer.exists():
        shutil.rmtree(built)
    else:
        built.rename(layer)
    write_link(layer, built, python)
    return layer


def write_link(layer: Path, link: Path, python: str) -> None:
    """Makes the folder of a layer that leads to another."""
    # Workers read the .pth files of this folder, and run a line that begins with "import".
    packages = link / "python" / "lib" / f"python{python}" / "site-packages"
    packages.mkdir(parents=True)
    path = f"[{str(layer / 'python')!r}, *(each for each in sys.path if 'site-packages' not in each)]"
    (packages / "livello.pth").write_text(f"import sys; sys.path[:] = {path}\n", "utf-8")


def remove_other_layers(layers: Path, built: Path) -> None:
    """Forgets the layers of former deployments."""
    link = next(built.rglob("livello.pth")).read_text("utf-8")
    for layer in layers.iterdir():
        if layer.name not in link:
            shutil.rmtree(layer)


def _digest(folder: Path) -> str:
    """Names the contents: the same build is the same layer, so nothing is deployed and workers stay warm."""
    digest = hashlib.sha256()
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:DIGEST_LENGTH]
