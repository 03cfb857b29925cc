"""The command line, `minitorch-seg` and `python -m minitorch_seg`: one small file a command, loaded when it
is called.

`--help` must be quick, so this file imports click only; the table below holds each command's module and
summary, and the module (with NumPy, Numba or matplotlib behind it) is imported when the command runs. What
went wrong because of the user (a `UserError`) is one sentence and exit code 2; Ctrl-C is exit code 130;
anything else is a mistake of ours and keeps its traceback.
"""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import click

from minitorch_seg import __version__
from minitorch_seg.errors import UserError, nearest_name

#: command -> what it does, as the overview shows it; the code is `command` in minitorch_seg/cli/<command>.py.
COMMANDS = {
    "train": "Train a model, evaluate it on held-back images, leave a run folder.",
    "evaluate": "Score a trained run, beside what needs no learning.",
    "predict": "Segment images of any size with a run or a packaged model.",
    "pretrain": "Train an encoder on images alone, for train --init.",
    "cluster": "Segment images without labels: each by itself, or all together.",
    "check": "Find every problem of a folder of images and masks.",
    "datasets": "List the data sets, get one, or draw a contact sheet.",
    "show": "One page about an operator: formula, forward, backward, kernels.",
    "receptive": "Draw which pixels a sweep, a model or a run has seen, and how strongly.",
    "gradcheck": "Check an operator's gradients against finite differences.",
    "bench": "Measure an operator's speed, beside PyTorch where it is installed.",
    "learn": "List the lessons with your progress, or open one.",
    "grade": "Judge the exercises of a student or a class, with limits.",
    "doctor": "Report versions, threads, cache and data; --warm compiles the kernels.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed, and whose user errors are one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"minitorch_seg.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise UserError(f"there is no command {args[0]!r}{nearest_name(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        # What the terminal cannot show (a formula on cp1252, a file name that is not UTF-8) is no reason to
        # stop; in UTF-8 only such a name can fail, and an escape says more than a question mark.
        stream = sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            unicode = stream.encoding.lower().startswith("utf")
            stream.reconfigure(errors="backslashreplace" if unicode else "replace")
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)
        except KeyboardInterrupt as stop:
            click.echo(str(stop) or "stopped", err=True)  # a training says what it has kept
            sys.exit(130)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(__version__, prog_name="minitorch-seg")
def main() -> None:
    """Image segmentation with a deep-learning framework that can be read in a weekend.

    \b
    First steps:
      minitorch-seg train                        a U-Net on coins, in two minutes
      minitorch-seg predict nuclei IMAGE...      with a model that comes along
      minitorch-seg check FOLDER                 are my images and masks in order?
      minitorch-seg train --data FOLDER          train on them
    """
