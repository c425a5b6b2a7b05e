"""``python -m oracle.backtest``."""

import os

if __name__ == "__main__":
    # Before numpy is loaded, and inherited by the processes: a product split among threads differs
    # in its last bits, and GJR-GARCH fits differ with them. The report must not depend on cores.
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    os.environ.update(dict.fromkeys(names, "1"))

    from oracle.backtest.main import backtest

    backtest(prog_name="python -m oracle.backtest")
