"""Filters for the pages of reports."""

from __future__ import annotations

from math import floor

from django import template

register = template.Library()


@register.filter
def percent(share: float) -> str:
    """Write a share in percent, cut off at a tenth: nothing but all of it is 100 %."""
    # A share has six decimals: what binary fractions add beyond them is taken off first.
    return f"{floor(round(share * 1000, 3)) / 10:.1f} %"
