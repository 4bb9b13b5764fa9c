"""Pages of dual control. Thin: figures come from the pure rules and services."""
