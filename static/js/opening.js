// Before a product opens, its page and cards count down. At that moment they turn to what the
// numbers say. Everything for it is in the page already: many pages turn at once, and ask nothing.
const clocks = (of = "") => document.querySelectorAll(`time[data-opens${of}]`);
const tell = (name, detail) => dispatchEvent(new CustomEvent(name, { detail }));

// Loads the script that shows stock now: at the opening nothing should be fetched.
const withStock = (act) => tell("allo:needs", [document.getElementById("stock").dataset.script, act]);
withStock();

function look() {
  for (const { dataset } of clocks()) dataset.until ??= dataset.opensAt;
  tell("allo:times");
}

function open(product) {
  for (const { dataset } of clocks(`="${product}"`)) {
    delete dataset.opens;
    delete dataset.until;
  }
  withStock(() => tell("allo:open", product));
}

addEventListener("allo:left", (event) => {
  const { opens } = event.target.dataset;
  if (event.detail || !opens) return;
  event.preventDefault();
  open(opens);
});

// The page as it is now: the opening may be at another time, or over.
addEventListener("allo:read", ({ detail: page }) => {
  for (const { dataset } of clocks()) {
    const its = `[data-opens="${dataset.opens}"]`;
    const now = page.querySelector(`time${its}`);
    if (now) dataset.until = now.dataset.opensAt;
    else if (page.querySelector(`[data-stock="${dataset.opens}"]`)) open(dataset.opens);
  }
});

addEventListener("htmx:afterSettle", look);
look();
