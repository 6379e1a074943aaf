// Moves a product's picture from its card to its page, and back. A transition's name must be unique
// on a page, so only the chosen card gets one, during the navigation.
const own = document.querySelector(".product-picture img");
const name = (it, as) => it && (it.style.viewTransitionName = as);

function lead({ viewTransition }, url) {
  if (!viewTransition) return;
  const over = viewTransition.finished.catch(() => {});
  if (!url) return;
  const { pathname } = new URL(url);
  const picture = document.querySelector(`.card:has([href="${pathname}"]) img`);
  if (!picture) return;
  name(own, "none");
  name(picture, "product-picture");
  over.then(() => [own, picture].forEach((it) => name(it, "")));
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
