"""The deployed cluster under one seed: virtual time, broken networks and disks, exact replay."""
