"""``python -m oracle.backtest``."""

from oracle import threads

if __name__ == "__main__":
    threads.use_one()
    from oracle.backtest.main import backtest

    backtest(prog_name="python -m oracle.backtest")
