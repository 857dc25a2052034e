"""Facts about PostgreSQL, as data."""
