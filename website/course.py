"""What the site knows of the lessons beside their text: interactive elements, operators, translations."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent

#: Lesson -> the elements at the end of its section "Picture".  They are defined in static/explorers/*.js.
EXPLORERS = {
    "02": ["conv-explorer"],
    "04": ["pool-explorer"],
    "08": ["receptive-field-explorer", "unet-explorer"],
    "09": ["rnn-explorer"],
}

#: Lesson -> the operators that it derives.  Their pages link back to it.
OPERATORS = {
    "01": ["add", "mul", "matmul", "sigmoid", "binary_cross_entropy_with_logits"],
    "02": ["conv2d", "convolve2d", "documented_convolution"],
    "03": ["conv2d", "conv_transpose2d", "documented_convolution"],
    "04": ["max_pool2d", "avg_pool2d"],
    "05": ["cross_entropy", "softmax", "log_softmax", "dice_loss"],
    "06": ["relu", "batch_norm", "batch_norm_relu"],
    "07": ["linear", "conv2d", "flatten", "binary_cross_entropy"],
    "08": ["conv_transpose2d", "interpolate"],
    "09": ["rnn", "gru", "lstm", "tanh"],
    "10": ["rnn", "gru", "flip"],
    "11": ["reconstruction_loss", "mse_loss", "soft_ncut_loss"],
}

#: Language -> what a link to a lesson in this language is called, and what stands above the translation.
LANGUAGES = {
    "zh": ("中文", "本页是英文课程的译文；程序、图、判语和交互演示都与英文页相同，保留英文。"),
}


def explorers(number: str) -> list[str]:
    """The elements of a lesson that some script in static/explorers defines."""
    scripts = sorted((HERE / "static" / "explorers").glob("*.js"))
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    defined = set(re.findall(r"""customElements\.define\(\s*["']([\w-]+)["']""", text))
    return [name for name in EXPLORERS.get(number, []) if name in defined]


def translations() -> list[tuple[str, Path]]:
    """(language, file) of every translated lesson: translations/LANGUAGE/lesson_NN_name.md."""
    return [(path.parent.name, path) for path in sorted((HERE / "translations").glob("*/lesson_*.md"))]
