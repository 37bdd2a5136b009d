"""Tables as the experiments write them."""

from pathlib import Path

import pandas as pd


def write_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """``name.csv`` and ``name.parquet`` in a folder that exists."""
    table.to_csv(folder / f"{name}.csv", index=False)
    table.to_parquet(folder / f"{name}.parquet", index=False)
