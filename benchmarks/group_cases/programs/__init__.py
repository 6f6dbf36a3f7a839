"""One member of a group for each client: each prints the lines that group_cases.lines reads."""
