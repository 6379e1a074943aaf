// A product's picture travels from its card to its page, and back. Names must be unique on a page
// and style attributes are barred, so only the card that was chosen gets one, as the page turns.
const own = document.querySelector(".product-picture img");

function lead({ viewTransition }, url) {
  if (!viewTransition) return;
  const over = viewTransition.finished.catch(() => {});
  if (!url) return;
  const { pathname } = new URL(url);
  const cards = [...document.querySelectorAll(".card")];
  const picture = cards
    .find((card) => card.querySelector("a").pathname === pathname)
    ?.querySelector("img");
  if (!picture) return;
  if (own) own.style.viewTransitionName = "none";
  picture.style.viewTransitionName = "product-picture";
  over.then(() => {
    if (own) own.style.viewTransitionName = "";
    picture.style.viewTransitionName = "";
  });
}

addEventListener("pageswap", (event) => lead(event, event.activation?.entry.url));

// A product's own page shows the picture large: its style sheet has named it already.
addEventListener("pagereveal", (event) => {
  lead(event, own ? null : globalThis.navigation?.activation?.from?.url);
});

// Where the old page's picture is late, the browser shows the new page without it, which is fine,
// and then rejects the promises of a transition that no script was ever given: only here.
addEventListener("unhandledrejection", (event) => {
  if (/^Transition was (aborted|skipped)/.test(event.reason?.message)) event.preventDefault();
});
