// The products seen last in this browser, which alone remembers them. Their cards are requested once
// their place comes into sight.
const MOST = 6;
const place = document.getElementById("viewed");
const { product, cards } = place.dataset;

function remember() {
  const kept = localStorage.getItem("viewed")?.match(/\d{1,9}/g) ?? [];
  const others = kept.filter((id) => id !== product).slice(0, MOST);
  if (product) localStorage.setItem("viewed", [product, ...others].join(" "));
  if (!others.length) return;
  place.setAttribute("hx-get", `${cards}?of=${others.join(".")}`);
  place.hidden = false;
  htmx.process(place);
}

addEventListener("click", ({ target }) => {
  if (!target.closest("[data-forget]")) return;
  localStorage.removeItem("viewed");
  document.getElementById("viewed").remove();
  document.getElementById("main").focus({ preventScroll: true });
});

// A browser may be set to keep nothing: then there is nothing to show.
try {
  remember();
} catch {}
