// "Load more": the focus goes to the first card that came, or to the end, and that is announced.
let first;

const announce = (detail) => document.dispatchEvent(new CustomEvent("allo:announce", { detail }));

document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  first = target.id === "load-more" ? target.parentElement.children.length - 1 : undefined;
});

document.addEventListener("htmx:afterSettle", () => {
  if (first === undefined) return;
  const { children } = document.querySelector(".results .grid");
  const cards = document.querySelectorAll(".results .card").length;
  children[first].querySelector("a, [tabindex]").focus();
  announce(`${cards > first ? `${cards - first} more` : "That is all"}, ${cards} shown`);
  first = undefined;
});

// What is refused is asked as a page, which says why; without a connection this one stays.
document.addEventListener("htmx:afterRequest", ({ target, detail: { successful, xhr } }) => {
  if (successful || !target.matches(".load-more a")) return;
  if (xhr.status) return location.assign(target.href);
  target.nextElementSibling?.remove();
  target.after(document.createElement("p"));
  announce((target.nextSibling.textContent = "There is no connection. Try again."));
});
