"""Pure rules of alerts: conditions and the lifecycle step."""
