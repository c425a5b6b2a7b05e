"""``python -m oracle.optimise``."""

from oracle.optimise.main import optimise

if __name__ == "__main__":
    optimise(prog_name="python -m oracle.optimise")
