"""Exercises of the chapter *Tangent maps*."""
