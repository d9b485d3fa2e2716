"""The instance's data: dictionary, rows, encoded queries, display values, journals, numbers, audit."""
