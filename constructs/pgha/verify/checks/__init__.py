"""The checks, one function each, by what they are about. Pure: readings in, verdict out."""
