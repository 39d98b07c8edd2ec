"""Object stores as a narrow client: what S3 and Google Cloud Storage both promise, and nothing else."""
