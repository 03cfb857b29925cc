"""`minitorch-seg doctor`: what this installation runs on."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import metadata

import click

LIBRARIES = (
    "numpy",
    "numba",
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
@click.option("--warm", is_flag=True, help="Compile the kernels of a U-Net now, so that nothing waits later.")
def command(warm: bool) -> None:
    """Report versions, threads, cache and data; --warm compiles the kernels."""
    import minitorch_seg as ms
    from minitorch_seg.data import status
    from minitorch_seg.kernels import dispatch

    click.echo(f"minitorch_seg {ms.__version__}, Python {platform.python_version()}, {platform.platform()}")
    click.echo(f"processors {os.cpu_count()}, threads {ms.get_num_threads()}")
    for name in LIBRARIES:
        click.echo(f"  {name:14}{_version(name)}")
    click.echo(f"kernels: {dispatch.why('conv2d')}")
    click.echo(f"compiled kernels are kept in {_cache()}")
    for entry in status():
        click.echo(f"  {entry.name:14}{entry.where or 'not here; to get it: ' + entry.how_to_get}")
    if warm:
        click.echo(f"compiled in {_warm():.1f} s")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed" + (" (needed by tests that compare with it only)" if name == "torch" else "")


def _cache() -> str:
    try:
        from minitorch_seg.kernels.jit import cache_root
    except ImportError:
        return "no folder: Numba is not installed"
    return str(cache_root())


def _warm() -> float:
    """Train one step of a small U-Net and predict once: every kernel of the recipe gets compiled."""
    from minitorch_seg.train.recipe import Options, make_plan

    begin = time.perf_counter()
    plan = make_plan(Options(steps=1, batch_size=2))
    trainer = plan.trainer(1)
    trainer.fit(plan.loader(), steps=1, progress=False)
    plan.validation(trainer)()
    sys.stderr.flush()
    return time.perf_counter() - begin
