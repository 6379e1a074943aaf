// "Load more": the focus goes to the first card that came, and what came is announced; at the end
// that it is the end.
let first;

const announce = (detail) => document.dispatchEvent(new CustomEvent("allo:announce", { detail }));

document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  first = target.id === "load-more" ? target.parentElement.children.length - 1 : undefined;
});

document.addEventListener("htmx:afterSettle", () => {
  if (first === undefined) return;
  const list = document.querySelector(".results .grid");
  const cards = list.querySelectorAll(".card").length;
  list.children[first]?.querySelector("a, [tabindex]").focus();
  announce(cards > first ? `${cards - first} more, ${cards} shown` : `That is all: ${cards} shown`);
  first = undefined;
});

// What the shop refuses to load in place is loaded as a page, which says why. Without a connection
// there is no page either: this one stays, and says so.
document.addEventListener("htmx:responseError", ({ target }) => {
  if (target.matches(".load-more a")) location.assign(target.href);
});

for (const failure of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, ({ target }) => {
    if (!target.matches(".load-more a")) return;
    const words = "There is no connection. Nothing is lost: try again.";
    let note = target.parentElement.querySelector("p");
    if (!note) target.after((note = document.createElement("p")));
    note.textContent = words;
    announce(words);
  });
}
