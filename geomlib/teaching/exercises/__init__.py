"""The exercises of each chapter, with the mistakes they know."""
