"""A run folder: everything that one training leaves behind, and all that is needed to use or repeat it.

    config.json             what was asked for, how often was stepped, versions, the command that repeats it
    history.csv             one row an epoch
    model.safetensors       the best weights
    metrics.json            scores on the held-back test split
    curves.png              loss and scores over the epochs
    predictions.png         image, truth, prediction, errors
    checkpoint.safetensors  only while training, or after an interruption: where `--resume` goes on

Each file is written whole or not at all.  A folder that holds a run is never written to again, unless with
force; and then the earlier run goes only when the new one has made its first step.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_seg import models
from minitorch_seg.errors import DataError, UserError
from minitorch_seg.io import load_state_dict, read_json, save_state_dict, write_json
from minitorch_seg.train.history import History
from minitorch_seg.train.state import load_tree, save_tree

__all__ = ["FILES", "RunFolder", "build_model", "load_model", "next_folder"]

FILES = ("config.json", "history.csv", "metrics.json", "model.safetensors", "curves.png", "predictions.png")
CHECKPOINT = "checkpoint.safetensors"
#: Lies in the folder while a training plans and compiles, so that a second one does not take it too.
CLAIM = ".claimed"


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | os.PathLike[str], force: bool = False) -> RunFolder:
        """Claim a folder; one that holds anything is refused without `force`.

        Nothing that lies there is touched before `begin`; `withdraw` gives the folder back.
        """
        run = cls(path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            claimed = _create_file(run.path / CLAIM)
        except OSError as error:
            raise UserError(
                f"--out {run.path}: cannot write there ({error.strerror or error}); choose another folder"
            ) from error
        if not claimed:
            raise UserError(
                f"--out {run.path}: another training is just beginning there; choose another folder, or, if "
                f"that one was killed, delete {run.path / CLAIM}"
            )
        if not force and any(entry.name != CLAIM for entry in run.path.iterdir()):
            run.withdraw()
            what = "an earlier run" if (run.path / "config.json").is_file() else "files"
            raise UserError(f"--out {run.path} holds {what} already; choose another folder or add --force")
        return run

    def begin(self, config: Mapping[str, Any]) -> None:
        """Remove an earlier run's files and write the config: from now on the folder is this run's."""
        for name in (*FILES, CHECKPOINT):
            (self.path / name).unlink(missing_ok=True)
        self.save_config(config)
        (self.path / CLAIM).unlink(missing_ok=True)

    def retract(self) -> None:
        """Take back `begin` too, where neither weights nor a checkpoint came of it."""
        if not any((self.path / name).exists() for name in (*FILES[1:], CHECKPOINT)):
            (self.path / "config.json").unlink(missing_ok=True)
            self.withdraw()

    def withdraw(self) -> None:
        """Take back `create` when nothing came of it."""
        with contextlib.suppress(OSError):
            (self.path / CLAIM).unlink(missing_ok=True)
            self.path.rmdir()  # refused where something else lies there

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """An existing run."""
        run = cls(path)
        if not (run.path / "config.json").is_file():
            raise UserError(
                f"{run.path} is no run folder: it has no config.json; give a folder that train has made"
            )
        return run

    @property
    def finished(self) -> bool:
        """Whether the training came to its end and was evaluated."""
        return (self.path / "metrics.json").is_file()

    def config(self) -> dict[str, Any]:
        """The content of config.json."""
        return read_config(self.path / "config.json")

    def save_config(self, config: Mapping[str, Any]) -> None:
        write_json(self.path / "config.json", config)

    def save_metrics(self, metrics: Mapping[str, Any]) -> None:
        write_json(self.path / "metrics.json", metrics)

    def save_weights(self, weights: Mapping[str, Any]) -> None:
        save_state_dict(self.path / "model.safetensors", weights)

    def save_history(self, history: History) -> None:
        history.to_csv(self.path / "history.csv")

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        save_tree(self.path / CHECKPOINT, dict(state))

    def checkpoint(self) -> dict[str, Any]:
        """The state that `--resume` goes on from."""
        if self.finished:
            raise UserError(f"--resume {self.path}: this run is finished; begin a new one to train longer")
        if not (self.path / CHECKPOINT).is_file():
            raise UserError(
                f"--resume {self.path}: it was stopped before its first checkpoint; begin a new run"
            )
        return load_tree(self.path / CHECKPOINT)

    def drop_checkpoint(self) -> None:
        (self.path / CHECKPOINT).unlink(missing_ok=True)


def _create_file(path: Path) -> bool:
    """Make an empty file; False when it was there, also when two processes try at the same moment."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def next_folder(data: str, model: str, root: str | os.PathLike[str] = "runs") -> Path:
    """runs/<data>-<model>-<n> with the first n that is larger than all there are."""
    stem = f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', Path(data).name) or 'data'}-{model}-"
    taken = (
        [entry.name.removeprefix(stem) for entry in Path(root).glob(stem + "*")]
        if Path(root).is_dir()
        else []
    )
    return Path(root) / f"{stem}{1 + max((int(n) for n in taken if n.isdigit()), default=0)}"


#: Far beyond what trains well on a CPU; a slip of the finger is named before it fills the memory.
HIGHEST = {"depth": 8, "base_channels": 512, "size": 224}
#: What a config must hold to build the model, and of what kind.
_NEEDED: dict[str, type] = {"model": str, "model_options": dict, "in_channels": int, "classes": list}


def read_config(path: Path) -> dict[str, Any]:
    """A config.json that names at least what is needed to build the model."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise DataError(f"{path} was not written by minitorch-seg train: it holds no JSON object")
    require(config, _NEEDED, path)
    wrong = [name for name, kind in _NEEDED.items() if not isinstance(config[name], kind)]
    if wrong:
        raise DataError(f"{path}: {wrong[0]} is {config[wrong[0]]!r}; restore what minitorch-seg train wrote")
    return config


def require(config: Mapping[str, Any], names: Iterable[str], path: Path) -> None:
    """Raise a `DataError` that says which of `names` a config lacks."""
    missing = [name for name in names if name not in config]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}; it was not written by minitorch-seg train")


def build_model(config: Mapping[str, Any]) -> Any:
    """The model that a config describes, with fresh weights."""
    options = config["model_options"]
    for name, highest in HIGHEST.items():
        if isinstance(options.get(name), int) and options[name] > highest:
            raise UserError(f"{name} of a {config['model']} must be at most {highest}, not {options[name]}")
    try:
        return models.build(config["model"], config["in_channels"], len(config["classes"]), **options)
    except (TypeError, ValueError, MemoryError) as error:
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise UserError(
            f"a {config['model']} with {config['in_channels']} input channels and {given} cannot be built "
            f"({error or 'too little memory'}); mend these options"
        ) from error


def packaged_models() -> dict[str, Path]:
    """Name -> config file of each model that comes with the package."""
    folder = Path(models.__file__).parent / "weights"
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def load_model(source: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """(model in eval mode, its config) of a run folder or of a packaged model such as "nuclei"."""
    packaged = packaged_models()
    folder = Path(source)
    if str(source) in packaged and not (folder / "config.json").is_file():
        config_file = packaged[str(source)]
        weights_file = config_file.with_suffix(".safetensors")
    elif folder.is_dir():
        config_file, weights_file = RunFolder.open(folder).path / "config.json", folder / "model.safetensors"
    else:
        names = ", ".join(packaged) or "none"
        raise UserError(f"{source} is neither a run folder nor a packaged model (packaged: {names})")
    config = read_config(config_file)
    model = build_model(config)
    if not weights_file.is_file():
        raise UserError(
            f"{weights_file.parent} holds no weights yet; let its training finish, or go on with --resume"
        )
    weights: dict[str, np.ndarray] = load_state_dict(weights_file)
    try:
        model.load_state_dict(weights)
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{weights_file} does not fit the model that {config_file} describes ({error.args[0]}); "
            "restore the config that was written with the weights"
        ) from error
    model.eval()
    return model, config
