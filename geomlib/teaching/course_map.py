"""The chapters of the course, what each answers and what it builds on, as text and as a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from math import sqrt

from IPython.display import HTML

from geomlib.teaching.widgets import assets

__all__ = ["COURSE", "Chapter", "course_map"]


@dataclass(frozen=True)
class Chapter:
    """One chapter: its place in `course/`, what it answers, and the chapters that it needs.

    Attributes:
        file: the notebook, without its ending; its number is the reading order.
        title: the heading of the notebook.
        question: that the chapter answers, in one sentence.
        needs: names of the chapters that it builds on.
        helps: names of the chapters that it refers to, and recalls where it does.
    """

    file: str
    title: str
    question: str
    needs: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """By which exercises and other chapters call it, `"charts"` for `02_charts`."""
        return self.file[3:]


COURSE = (
    Chapter(
        "01_three_kinds_of_models",
        "Three kinds of models",
        "What does a generative model map to what, with which prior, and what does it learn "
        "without an encoder?",
    ),
    Chapter(
        "02_charts",
        "Charts and atlases",
        "What are coordinates, and when can an encoder be one?",
        helps=("three_kinds_of_models",),
    ),
    Chapter(
        "03_germs",
        "Germs and the cotangent space",
        "What is left of a function at a single point, and why is a gradient not an arrow?",
        needs=("charts",),
    ),
    Chapter(
        "04_tangent_maps",
        "Tangent maps",
        "How does a map carry velocities forward and slopes back, and what has backpropagation "
        "to do with it?",
        needs=("charts",),
        helps=("germs",),
    ),
    Chapter(
        "05_pullback_metrics",
        "Pull-back metrics, length, energy",
        "How does a decoder measure lengths, angles and areas, and what does the energy of a "
        "curve cost?",
        needs=("tangent_maps",),
        helps=("three_kinds_of_models",),
    ),
    Chapter(
        "06_geodesics",
        "Geodesics, transport, curvature",
        "Which curves are straight on a curved space, and what does curvature do to arrows and "
        "triangles?",
        needs=("pullback_metrics",),
    ),
    Chapter(
        "07_vae_geodesics",
        "Geodesics in the latent space of a VAE",
        "What is the shortest path between two handwritten digits, and why is it not the "
        "straight line in latent space?",
        needs=("tangent_maps",),
        helps=("pullback_metrics", "geodesics"),
    ),
    Chapter(
        "07_vae_statistics",
        "Statistics in a curved latent space",
        "Means, analogies, clusters and samples of codes: which of them belong to the model, and "
        "what does geometry add?",
        needs=("geodesics", "vae_geodesics"),
    ),
    Chapter(
        "08_information_geometry",
        "Pulling back Fisher-Rao",
        "How far apart are two distributions, and how does a decoder of distributions measure "
        "its codes?",
        needs=("pullback_metrics", "geodesics", "vae_geodesics"),
    ),
    Chapter(
        "09_diffusion_tangent_chains",
        "Tangent spaces along a diffusion",
        "What do the Jacobians of a diffusion model know of the data: which singular vectors are "
        "tangent, at which noise, and what is only a gap?",
        needs=("tangent_maps", "pullback_metrics"),
    ),
    Chapter(
        "10_atlas_models",
        "One chart is not enough",
        "What do several charts make of a closed curve, which shape do their overlaps say it has, "
        "and how far is it across them?",
        needs=("charts", "pullback_metrics", "geodesics"),
    ),
    Chapter(
        "10_atlas_comparison",
        "Six atlas models, side by side",
        "Six models are called atlases: what does each of them learn, and what not?",
        needs=("three_kinds_of_models", "atlas_models"),
    ),
    Chapter(
        "11_beyond",
        "Beyond one decoder",
        "How does a flow stay on a sphere, what of a latent space is identified, and when is one "
        "decoder not enough?",
        needs=("charts", "geodesics", "vae_geodesics"),
    ),
    Chapter(
        "12_your_own_decoder",
        "Your own decoder",
        "What is the geometry of a decoder of your own, and which of its numbers can be trusted?",
        needs=("pullback_metrics", "geodesics", "vae_geodesics"),
    ),
)


def course_map(link: Callable[[Chapter], str] = lambda chapter: f"{chapter.file}.ipynb") -> HTML:
    """The chapters in reading order, and arcs from each to those that build on it.

    A full arc means *needs*, a broken one *helps*. A chapter that has the pointer or the
    keyboard's focus shows the arcs that lead to it.

    Args:
        link: the address of a chapter; by default that of its notebook, beside this one.

    >>> "Charts and atlases" in course_map().data
    True
    """
    places = {chapter.name: place for place, chapter in enumerate(COURSE)}
    arcs, rules = [], []
    for chapter in COURSE:
        for kind, names in (("needs", chapter.needs), ("helps", chapter.helps)):
            for name in names:
                path = _arc(places[name], places[chapter.name])
                arcs.append(f'<path class="cm-{kind} cm-{chapter.name}-arc" d="{path}"/>')
        row = f".cm-row-{chapter.name}"
        rules.append(f".cm:has({row}:hover, {row}:focus-within) .cm-{chapter.name}-arc")
    marked = "{ stroke: var(--gw-red); stroke-width: 3; opacity: 1; }"
    rows = "".join(_row(chapter, link(chapter)) for chapter in COURSE)
    return HTML(
        f"<style>\n{assets.style('course_map')}{', '.join(rules)} {marked}\n</style>\n"
        f'<div class="gw cm"><svg viewBox="0 0 100 {len(COURSE)}" preserveAspectRatio="none" '
        'role="img" aria-label="An arc leads from each chapter down to every chapter that builds '
        f'on it">{"".join(arcs)}</svg>\n<ol>{rows}</ol></div>'
    )


def _arc(start: int, end: int) -> str:
    reach = 100 - 120 * sqrt((end - start) / len(COURSE))
    return f"M100 {start + 0.5}C{reach:.0f} {start + 0.5} {reach:.0f} {end + 0.5} 100 {end + 0.5}"


def _row(chapter: Chapter, address: str) -> str:
    titles = {each.name: each.title for each in COURSE}
    # what the arcs say, for the ear
    needs = "; ".join(escape(titles[name]) for name in chapter.needs)
    return (
        f'<li class="cm-row-{chapter.name}">'
        f'<span class="cm-title"><a href="{escape(address)}">{escape(chapter.title)}</a></span> '
        f'<span class="cm-question">{escape(chapter.question)}</span> '
        f'<span class="cm-ear">{f"Builds on {needs}." if needs else ""}</span></li>'
    )
