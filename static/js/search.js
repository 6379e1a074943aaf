// What goes through suggestions is loaded with the first letter of a search.
addEventListener("input", ({ target }) => {
  const src = target.nextElementSibling?.dataset.script;
  if (src) dispatchEvent(new CustomEvent("allo:needs", { detail: [src] }));
});
