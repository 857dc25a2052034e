"""A run's facts for people and machines: a page, JUnit XML, JSON. Pure: facts in, text out."""
