"""Kinds of values that several sections of a recipe have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from generation.template import check_date, check_kwargs

SEED = Field(0, ge=-(2**63), le=2**63 - 1)


def _checked(check: Callable[[Any], None]) -> AfterValidator:
    def checked(value: Any) -> Any:
        check(value)
        return value

    return AfterValidator(checked)


TemplateKwargs = Annotated[dict[str, Any], _checked(check_kwargs)]
Day = Annotated[str, _checked(check_date)]
