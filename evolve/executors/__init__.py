"""Who does the jobs, and where: this process, and later a cluster."""
