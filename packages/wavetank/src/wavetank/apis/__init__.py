"""The REST APIs of the instance, one file a family."""
