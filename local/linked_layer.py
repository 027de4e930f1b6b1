"""Links the built layer instead of packing it, because the emulator unpacks a layer for each worker.

Unpacking thousands of small files takes seconds. So the built folder is moved aside under a digest of its contents, and
a layer with a single file takes its place. When a worker starts, this file puts the built folder first on its path, and
removes the emulator's own packages from it. So a package that is missing in the layer is missing here as well.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

DIGEST_LENGTH = 16


def link_layer(built: Path, layers: Path, python: str) -> Path:
    """Moves the built layer into `layers`, and leaves a link in its place. Returns the layer's new folder."""
    layer = layers / _digest(built)
    layers.mkdir(parents=True, exist_ok=True)
    if layer.exists():
        shutil.rmtree(built)
    else:
        built.rename(layer)
    write_link(layer, built, python)
    return layer


def write_link(layer: Path, link: Path, python: str) -> None:
    """Writes into the folder `link` a layer that links to another."""
    # Workers read the .pth files of this folder, and run each line that begins with "import".
    packages = link / "python" / "lib" / f"python{python}" / "site-packages"
    packages.mkdir(parents=True)
    path = f"[{str(layer / 'python')!r}, *(each for each in sys.path if 'site-packages' not in each)]"
    (packages / "livello.pth").write_text(f"import sys; sys.path[:] = {path}\n", "utf-8")


def remove_other_layers(layers: Path, built: Path) -> None:
    """Deletes the layers of earlier deployments."""
    link = next(built.rglob("livello.pth")).read_text("utf-8")
    for layer in layers.iterdir():
        if layer.name not in link:
            shutil.rmtree(layer)


def _digest(folder: Path) -> str:
    """A digest of the contents. An identical build has the same name, so nothing is deployed and workers stay warm."""
    digest = hashlib.sha256()
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:DIGEST_LENGTH]
