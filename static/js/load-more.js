// "Load more": moves the focus to the first new card, or to the end, and announces how many came.
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

// When the request fails, go to the page itself, which shows the error. Without a connection, stay.
document.addEventListener("htmx:afterRequest", ({ target, detail: { successful, xhr } }) => {
  if (successful || !target.matches(".load-more a")) return;
  if (xhr.status) return location.assign(target.href);
  target.nextElementSibling?.remove();
  target.after(document.createElement("p"));
  announce((target.nextSibling.textContent = "There is no connection. Try again."));
});
