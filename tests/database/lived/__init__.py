"""Warehouses in which earlier code has lived a month, as dumps: loaded, built, closed, approved, published.

``NNN.sql.xz`` stood at migration NNN. Who adds a migration and finds no dump of its predecessor adds one, made by the
commit before:

    python -m tests.database.lived CHECKOUT
"""
