"""Rules and the alerts they raise: the judge folds the log of readings, operators act on what it finds."""
