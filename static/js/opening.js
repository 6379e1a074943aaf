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

function write(time, left) {
  const hours = Math.floor(left / 3600);
  const parts = [Math.floor(hours / 24), hours % 24, Math.floor(left / 60) % 60, left % 60];
  const first = parts.findIndex((part, n) => part || n > 1);
  [...time.querySelectorAll("b")].forEach((place, n) => {
    const text = String(parts[n]).padStart(2, "0");
    if (place.textContent !== text) place.textContent = text;
    place.parentElement.hidden = n < first;
  });
  time.classList.toggle("opening-soon", left <= 60);
}

function open(product) {
  for (const { dataset } of clocks(`="${product}"`)) {
    delete dataset.opens;
    delete dataset.until;
  }
  withStock(() => tell("allo:open", product));
}

addEventListener("allo:left", (event) => {
  const { target: time, detail: left } = event;
  if (!time.dataset.opens) return;
  // A card's is one line, as of any countdown.
  if (!left || time.matches(".opening-clock")) event.preventDefault();
  if (!left) open(time.dataset.opens);
  else if (event.defaultPrevented) write(time, left);
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
