"""Where facts are kept: the only package that speaks SQLAlchemy."""
