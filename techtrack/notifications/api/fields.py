"""Fields that routes, rotas and wishes share: ids of others, and hours of a day."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.core.api.filters import BIGGEST_ID

CLOCK = r"^(?:[01]\d|2[0-3]):[0-5]\d\Z"


class IdsField(serializers.ListField):
    """Ids of rows; whether the caller may see them is asked by the service."""

    def __init__(self, *, longest: int = 50, **kwargs: Any) -> None:
        one = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID)
        super().__init__(child=one, max_length=longest, **kwargs)


class ClockField(serializers.RegexField):
    """A time of the day such as ``22:00``."""

    default_error_messages = {"invalid": "A time of the day such as 22:00 is expected."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CLOCK, **kwargs)


@extend_schema_field({"type": "string", "pattern": CLOCK.replace(r"\Z", "$")})
class DayTimeField(serializers.TimeField):
    """The same, where the row has a time."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **kwargs)
