"""Corrections of low-cost sensors, one file each."""
