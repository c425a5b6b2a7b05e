"""Kinds of settings."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PPM: Final = 1_000_000


def _check_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("it starts with http:// or https://")
    return value


Url = Annotated[str, AfterValidator(_check_url)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Ppm = Annotated[int, Field(ge=0, le=PPM, strict=True)]
Gwei = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class Model(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
