// What is suggested under a search: arrow keys go through it, Escape and a sent search close it.
for (const list of document.querySelectorAll(".suggestions")) {
  const search = list.parentElement;
  const field = search.querySelector("input");
  const close = () => (list.hidden = true);
  field.addEventListener("input", () => (list.hidden = false));
  field.form.addEventListener("submit", close);
  search.addEventListener("keydown", (event) => {
    const places = [field, ...list.querySelectorAll("a")];
    const step = { ArrowDown: 1, ArrowUp: -1, Escape: 0 }[event.key];
    if (list.hidden || places.length === 1 || step === undefined) return;
    event.preventDefault();
    if (step === 0) close();
    const next = step && places.indexOf(document.activeElement) + step;
    places.at(next % places.length).focus();
  });
}
