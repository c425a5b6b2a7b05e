"""Property tests draw the same examples in every run, so that a red run is red again; new ones with
HYPOTHESIS_PROFILE=random, as `make test-long` does. A failure prints a blob to replay it."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, print_blob=True, deadline=None)
settings.register_profile("random", derandomize=False, print_blob=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
