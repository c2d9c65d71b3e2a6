// Shows the questions once their place is in the page, and adds what jupyterquiz leaves out:
// names for a screen reader, and arrow keys that look at a choice without taking it.
function show_quiz(name, questions) {
  const place = document.getElementById(name);
  if (!place) {
    setTimeout(show_quiz, 100, name, questions);
    return;
  }
  place.replaceChildren();
  show_questions(questions, place);
  for (const question of place.querySelectorAll(".Quiz")) {
    const choices = question.querySelector(".Answer");
    choices.setAttribute("role", "radiogroup");
    choices.setAttribute("aria-labelledby", question.querySelector(".MultipleChoiceQn").id);
    question.querySelector(".Feedback").setAttribute("role", "status");
    const inputs = [...choices.querySelectorAll("input")];
    choices.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const here = inputs.indexOf(document.activeElement);
      inputs[(here + step + inputs.length) % inputs.length].focus();
    });
  }
}
