"""What can be taken away: one observation, or a whole trace, as JSON or as OTLP JSON."""
