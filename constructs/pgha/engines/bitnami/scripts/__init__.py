"""Shell that runs inside pods; read as text, executed by the tests."""
