"""Loads the case file by dlt, in dlt's own environment; prints seconds. `python dlt_load.py MODE FILE URL COLUMNS`

``import``: the file itself is handed to COPY, the fastest that dlt can. ``arrow``: read by pyarrow, written as CSV and
copied. Neither looks at a value. COLUMNS: JSON, the file's column names → PostgreSQL types.
"""

import json
import os
import sys
import tempfile
import time

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["SCHEMA__NAMING"] = "direct"

import dlt
import pyarrow
from dlt.common.destination.configuration import CsvFormatConfiguration
from pyarrow import csv

TYPES = {"text": "text", "double precision": "double", "timestamptz": "timestamp"}
ARROW = {
    "text": pyarrow.string(),
    "double precision": pyarrow.float64(),
    "timestamptz": pyarrow.timestamp("us"),
}


def rows(mode: str, file: str, columns: dict) -> dlt.sources.DltResource:
    hints = {name: {"name": name, "data_type": TYPES[kind], "nullable": True} for name, kind in columns.items()}

    @dlt.resource(name="cases", columns=hints, write_disposition="append", file_format="csv")
    def cases():
        if mode == "import":
            yield dlt.mark.with_file_import(file, "csv")
        else:
            yield from csv.open_csv(
                file,
                read_options=csv.ReadOptions(block_size=1 << 26),
                convert_options=csv.ConvertOptions(
                    column_types={name: ARROW[kind] for name, kind in columns.items()}, strings_can_be_null=True
                ),
            )

    return cases


def main(mode: str, file: str, url: str, columns: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            f"bench_{mode}",
            pipelines_dir=folder,
            dataset_name=f"dlt_{mode}",
            destination=dlt.destinations.postgres(
                credentials=url, csv_format=CsvFormatConfiguration(include_header=True)
            ),
        )
        began = time.perf_counter()
        pipeline.run(rows(mode, file, json.loads(columns)), loader_file_format="csv").raise_on_failed_jobs()
        print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
