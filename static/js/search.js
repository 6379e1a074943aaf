// suggestions.js is loaded when the first letter of a search is typed.
addEventListener("input", ({ target }) => {
  const src = target.nextElementSibling?.dataset.script;
  if (src) dispatchEvent(new CustomEvent("allo:needs", { detail: [src] }));
});
