"""``python -m oracle.optimise``."""

from oracle import threads

if __name__ == "__main__":
    threads.use_one()
    from oracle.optimise.main import optimise

    optimise(prog_name="python -m oracle.optimise")
