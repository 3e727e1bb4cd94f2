"""Tables as files, written piece by piece in constant memory: CSV, XLSX, Parquet."""
