"""One thread a product, before numpy is loaded; processes inherit it.

Split among threads a product differs in its last bits, and GJR-GARCH fits differ with them: a
report must not depend on how many cores there are.
"""

import os

NAMES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def use_one() -> None:
    """For this process and those it starts."""
    os.environ.update(dict.fromkeys(NAMES, "1"))
