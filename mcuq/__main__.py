"""python -m mcuq: the command line, where its script is not in PATH."""

from mcuq.cli import main

if __name__ == "__main__":
    main(prog_name="mcuq")
