"""Segmentation, measured: which method reaches what on which set, and what it costs.

    python -m benchmarks.segmentation.run --list            every row, done or missing, and its minutes
    python -m benchmarks.segmentation.run unet-road-0       one row; a stopped one goes on where it was
    python -m benchmarks.segmentation.run --all --hours 4   missing rows, in the order of the table
    python -m benchmarks.segmentation.page                  docs/segmentation.md and its plots, from the rows

A row is one method on one set with one seed.  Its file, results/rows/NAME.json, is written last and whole: it
is there when the row is done.  Weights and pictures of the registered sets stay outside the repository.
"""
