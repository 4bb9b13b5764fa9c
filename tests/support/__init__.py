"""What tests stand on: a PostgreSQL cluster, a running server, a browser."""
