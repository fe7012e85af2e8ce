"""The language of schemes: the strict models that a file in ``config/schemes/`` is read into."""
