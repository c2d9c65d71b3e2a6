"""Exercises of the chapter *Germs and the cotangent space*."""
