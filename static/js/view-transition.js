// Moves a product's picture from its card to its page, and back. Transition names must be unique on
// a page, and the CSP bars style attributes, so only the chosen card gets one, by script, during
// the navigation.
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

// On the product's page the style sheet already names the large picture.
addEventListener("pagereveal", (event) => {
  lead(event, own ? null : globalThis.navigation?.activation?.from?.url);
});

// If the old page's picture is not ready, the browser skips the transition, which is fine, but
// rejects promises that no script can reach. Ignore only these.
addEventListener("unhandledrejection", (event) => {
  if (/^Transition was (aborted|skipped)/.test(event.reason?.message)) event.preventDefault();
});
