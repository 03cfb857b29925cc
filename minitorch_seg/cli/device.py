"""The option --device of train, evaluate, predict and gradcheck."""

from __future__ import annotations

import click

from minitorch_seg.errors import UserError
from minitorch_seg.kernels import devices


def _usable(ctx: click.Context, parameter: click.Parameter, device: str) -> str:
    if not devices.is_device(device):
        raise UserError(f"--device {device}: no such device; valid: {', '.join(devices.DEVICES)}")
    why = devices.problem() if devices.checked(device) == "cuda" else ""
    if why:
        raise UserError(f"--device {device}: {why}")
    if devices.checked(device) == "cuda":  # a simulator, say, which takes minutes for a step
        click.echo(f"device cuda: {'; '.join(devices.describe())}", err=True)
    return device


device_option = click.option(
    "--device", default="cpu", callback=_usable, help="Where to compute: cpu, or cuda for a GPU."
)
