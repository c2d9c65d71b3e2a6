"""Exercises of the chapter *Charts and atlases*."""
