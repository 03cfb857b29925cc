"""`minitorch-seg doctor`: what this installation runs on."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata

import click

LIBRARIES = (
    "numpy",
    "numba",
    "numba-cuda",
    "scipy",
    "scikit-image",
    "matplotlib",
    "pillow",
    "click",
    "tqdm",
    "safetensors",
    "torch",
)


@click.command()
@click.option(
    "--warm", is_flag=True, help="Compile all kernels now, float32 and float64, so that nothing waits later."
)
def command(warm: bool) -> None:
    """Report versions, threads, cache and data; --warm compiles the kernels."""
    import minitorch_seg as ms
    from minitorch_seg.data import status
    from minitorch_seg.kernels import devices, dispatch

    click.echo(f"minitorch_seg {ms.__version__}, Python {platform.python_version()}, {platform.platform()}")
    click.echo(f"processors {os.cpu_count()}, threads {ms.get_num_threads()}")
    for name in LIBRARIES:
        click.echo(f"  {name:14}{_version(name)}")
    click.echo(f"kernels: {dispatch.why('conv2d')}")
    click.echo(f"cuda: {'; '.join(devices.describe())}")
    click.echo(f"compiled kernels are kept in {_cache()}")
    for entry in status():
        click.echo(f"  {entry.name:14}{entry.where or 'not here; to get it: ' + entry.how_to_get}")
    if warm:
        _warm()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed" + (" (needed by tests that compare with it only)" if name == "torch" else "")


def _cache() -> str:
    try:
        from minitorch_seg.kernels.cache import cache_root
    except ImportError:
        return "no folder: Numba is not installed"
    return str(cache_root())


def _warm() -> None:
    from minitorch_seg.kernels import dispatch

    if dispatch.why("relu").startswith("relu: kernels/reference"):
        click.echo(f"nothing to compile: {dispatch.why('relu')}")
        return
    from minitorch_seg.bench import warm

    for dtype in ("float32", "float64"):
        begin = time.perf_counter()
        warm.compile_all(dtype)
        click.echo(
            f"all kernels for {dtype}: compiled, or found compiled, in {time.perf_counter() - begin:.1f} s"
        )
    for name in warm.uncompiled():
        click.echo(f"  not compiled: {name}")
