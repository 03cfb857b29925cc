"""transfer: hand a trained part of one model to another, by the names of its weights.

    autoencoder.down.0.0.weight  ──►  unet.down.0.0.weight       an encoder learned without labels
    autoencoder.down.0.1.running_mean ──► …                      begins a segmentation model

Nothing is guessed: the part must have the same names and shapes on both sides.
"""

from __future__ import annotations

from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.nn.module import Module


def transfer(source: Module, target: Module, part: str = "down", into: str | None = None) -> list[str]:
    """Copy the parameters and buffers of source.part into target.into; the names that were copied.

    Args:
        source, target: two models.  The target gets copies; it may be trained on without the source's notice.
        part: attribute of the source, a sub-module, such as "down".
        into: attribute of the target; default the same.

    Raises: UserError where an attribute is missing, or names or shapes differ; then nothing was copied.

    >>> import minitorch_seg as ms
    >>> source = ms.models.ConvAutoencoder(1, 1, base_channels=4, depth=1)
    >>> unet = ms.models.UNet(1, 2, base_channels=4, depth=1)
    >>> transfer(source, unet)[:2], len(transfer(source, unet))
    (['down.0.0.weight', 'down.0.1.weight'], 24)
    """
    into = part if into is None else into
    given, wanted = _part(source, part), _part(target, into)
    missing = [name for name in wanted if name not in given]
    unused = [name for name in given if name not in wanted]
    wrong = [name for name in wanted if name in given and wanted[name].shape != given[name].shape]
    ours, theirs = f"{type(target).__name__}.{into}", f"{type(source).__name__}.{part}"
    if missing or unused:
        which = f"{ours} has {missing[0]}" if missing else f"{theirs} has {unused[0]}"
        raise UserError(
            f"transfer: {which}, the other has not ({len(missing) + len(unused)} names differ); build both "
            f"with as many levels: {theirs} has {_levels(given)}, {ours} {_levels(wanted)}"
        )
    if wrong:
        name = wrong[0]
        raise UserError(
            f"transfer: {ours}.{name} has shape {wanted[name].shape}, {theirs}.{name} {given[name].shape}; "
            "build both with the same in_channels and base_channels"
        )
    getattr(target, into).load_state_dict(given)
    return [f"{into}.{name}" for name in wanted]


def _levels(part: dict) -> int:
    """How many sub-modules a part has, "0.…", "1.…" and so on."""
    return len({name.partition(".")[0] for name in part})


def _part(model: Module, name: str) -> dict:
    modules = dict(model.named_children())
    if name not in modules:
        raise UserError(
            f"transfer: {type(model).__name__} has no part {name!r}{nearest_name(name, modules)}; its parts: "
            f"{', '.join(modules) or 'none'}"
        )
    return dict(modules[name].state_dict())
