"""`python -m minitorch_seg` is the command `minitorch-seg`."""

from minitorch_seg.cli import main

if __name__ == "__main__":
    main(prog_name="minitorch-seg")
