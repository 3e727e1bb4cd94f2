"""What conditions look at: series derived of series, one file each."""
