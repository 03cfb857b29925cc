"""Images and masks: data sets, loaders and transforms."""
