"""Energy data of key energy users: HTTPS and JSON in, registers to consumption, completeness."""
