// "Load more": moves the focus to the first new card, or to the end, and announces how many came.
let first;

addEventListener("htmx:beforeSwap", ({ detail: { target, xhr } }) => {
  const more = target.id === "load-more" && xhr.status === 200;
  first = more && target.parentElement.children.length - 1;
});

addEventListener("htmx:afterSettle", () => {
  if (!first) return;
  const { children } = document.querySelector(".results .grid");
  const cards = document.querySelectorAll(".results .card").length;
  children[first].querySelector("a, [tabindex]").focus();
  const more = cards > first ? `${cards - first} more` : "That is all";
  const detail = `${more}, ${cards} shown`;
  dispatchEvent(new CustomEvent("allo:announce", { detail }));
  first = 0;
});

// After an error, go to the page itself, which shows it.
addEventListener("htmx:responseError", ({ target }) => {
  if (target.href) location.assign(target.href);
});
