"""What performance is measured with: `make bench`, or a tenth of the size with `make bench-quick`.

Every figure is a ratio of two things done in one run, or a time told with the size it was taken at. Each module has
``measure(quick) -> dict`` of keys; all of them together are ``bench/results.json``.
"""
