"""Task decorators: `@task.train_model`."""
