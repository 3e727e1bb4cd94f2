"""Air quality over telemetry: indices, exceedances, quality control on arrival, corrections of low-cost sensors."""
