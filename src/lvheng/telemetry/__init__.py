"""Telemetry: HJ 212 and energy gateways, raw journal, lake."""
