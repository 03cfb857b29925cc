"""`minitorch-seg gradcheck [OP]`: a table of operators, their gradients held against central differences."""

from __future__ import annotations

import time

import click

from minitorch_seg.cli.device import device_option
from minitorch_seg.errors import GradcheckError, UserError, nearest_name


@click.command()
@click.argument("operators", nargs=-1, metavar="[OP]...")
@device_option
def command(operators: tuple[str, ...], device: str) -> None:
    """Check gradients in float64: first order to 1e-6, second order where the operator is smooth.

    Without OP every operator is checked; it takes some seconds.
    """
    from minitorch_seg.autograd import gradcheck, tensor
    from minitorch_seg.examples import examples

    every = examples(device)
    names = sorted({e.operator for e in every})
    for operator in operators:
        if operator not in names:
            raise UserError(f"there is no operator {operator!r} to check{nearest_name(operator, names)}")
    chosen = [e for e in every if not operators or e.operator in operators]
    click.echo(f"{'operator':34}{'order':>6}{'derivatives':>13}{'largest error':>15}{'kinks':>7}")
    failures = []
    start = time.perf_counter()
    for example in chosen:
        order = 2 if example.smooth else 1
        try:
            arrays = [tensor(a, device=device) for a in example.arrays]
            report = gradcheck(example.call, arrays, order=order, name=example.operator)
        except GradcheckError as error:
            failures.append(str(error))
            click.echo(f"{example.operator:34}{order:>6}{'FAILED':>13}")
        else:
            kinks = len(report.kinks)
            click.echo(
                f"{example.operator:34}{order:>6}{report.compared:>13,}{report.max_error:>15.1e}{kinks:>7}"
            )
    click.echo(
        f"{len(chosen) - len(failures)} of {len(chosen)} passed in {time.perf_counter() - start:.1f} s"
    )
    if failures:
        click.echo("\n" + "\n\n".join(failures))
        raise SystemExit(1)
