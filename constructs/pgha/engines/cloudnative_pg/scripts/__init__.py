"""Shell scripts that run in pods of ours."""
