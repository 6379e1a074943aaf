// "Load more": the focus goes to the first card that came, and what came is announced.
let first;

document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  first = target.id === "load-more" ? target.parentElement.children.length - 1 : undefined;
});

document.addEventListener("htmx:afterSettle", () => {
  if (first === undefined) return;
  const list = document.querySelector(".results .grid");
  const cards = list.querySelectorAll(".card").length;
  list.children[first]?.querySelector("a").focus();
  const detail = `${cards - first} more, ${cards} shown`;
  document.dispatchEvent(new CustomEvent("allo:announce", { detail }));
  first = undefined;
});
