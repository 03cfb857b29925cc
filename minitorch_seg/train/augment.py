"""What happens to training images: as much chance as the data allow, and nothing that is undone afterwards.

    scale                               larger, smaller
    normalise                           by the image's own mean, or by the data set's
    rotate, elastic                     turned a little, bent like rubber
    shift, crop                         a window of one size
    flips, quarter turns                those that keep the meaning of an image of this set ("symmetry")
    gamma, contrast, brightness, tint   in units of the normalised image

Brightness before a normalisation of the single image would be undone by it; so colours change afterwards.
Images are normalised before they are cropped, since prediction normalises whole images.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.data import transforms
from minitorch_seg.data.warp import RandomWarp

__all__ = ["augmentation", "described", "moves"]


def augmentation(options: Any, splits: Any, normalize: transforms.Normalize) -> transforms.Compose:
    """The joint transform of training images and masks, for options whose gaps the recipe has filled."""
    ignore = splits.ignore_index
    steps: list[Any] = []
    if options.augment and options.scale > 1:
        steps.append(transforms.RandomScale(1 / options.scale, options.scale))
    steps.append(normalize)
    if options.augment and (options.rotate or options.elastic):
        steps.append(RandomWarp(options.rotate, options.elastic))
    if options.augment and options.shift:
        steps.append(transforms.RandomShift(options.shift, ignore))
    if options.crop is not None or (options.augment and options.scale > 1):
        size = splits.train[0].mask.shape if options.crop is None else options.crop
        crop = transforms.ClassCrop(size, ignore, options.balance)
        steps.append(crop if options.balance else transforms.RandomCrop(size, ignore))
    return transforms.Compose([*steps, *(moves(options.symmetry, options.colour) if options.augment else [])])


def moves(symmetry: str, colour: float = 1.0) -> list[Any]:
    """What keeps the size: flips and turns, and colours, which `colour` makes weaker or stronger."""
    found: list[Any] = [] if symmetry == "none" else [transforms.RandomHorizontalFlip()]
    if symmetry == "square":
        found += [transforms.RandomVerticalFlip(), transforms.RandomRot90()]
    if not colour:
        return found
    change = transforms.RandomColour(0.2 * colour, 0.2 * colour, 0.1 * colour)
    return [*found, transforms.RandomGamma(1.5**colour), change]


def described(options: Any) -> str:
    """One sentence for the first lines of a training.

    >>> from minitorch_seg.train.options import Options
    >>> described(Options(symmetry="mirror", scale=1.5, crop=64, normalize="dataset", shift=0,
    ...                   rotate=0, elastic=0, colour=1))
    'images are normalised by data set; gamma, colour, mirrored, scaled up to 1.5 times, crops of 64'
    """
    words = [f"images are normalised by {'image' if options.normalize == 'image' else 'data set'}"]
    if not options.augment:
        return f"{words[0]}; no augmentation"
    named = {"none": [], "mirror": ["mirrored"], "square": ["mirrored and turned by quarters"]}
    more = [*(["gamma", "colour"] if options.colour else []), *named[options.symmetry]]
    more += [f"scaled up to {options.scale:g} times"] if options.scale > 1 else []
    more += [f"turned up to {options.rotate:g} degrees"] if options.rotate else []
    more += [f"bent by {options.elastic:g} pixels"] if options.elastic else []
    more += [f"shifted up to {options.shift} pixels"] if options.shift else []
    more += [f"crops of {options.crop}"] if options.crop else []
    return f"{words[0]}; {', '.join(more)}"
