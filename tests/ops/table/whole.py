"""One random call of every public operator, with an oracle: the table behind test_every_operator.py."""

from tests.ops.table import elementwise, layers, losses, places, reductions, windows
from tests.ops.table.draw import TABLE, Case, Draw

__all__ = ["TABLE", "Case", "Draw", "elementwise", "layers", "losses", "places", "reductions", "windows"]
