// Before a product opens, its page and cards count down. At that moment they turn to what the
// numbers say. Everything for it is in the page already: many pages turn at once, and ask nothing.
const all = (selector) => [...document.querySelectorAll(selector)];
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
const two = (number) => String(number).padStart(2, "0");
const DAY = 86_400;

// The script that shows numbers, long before it has to.
const ready = new Promise((over) =>
  document.readyState === "complete" ? over() : addEventListener("load", over),
).then(() => import(document.getElementById("stock").dataset.script));

function look() {
  for (const { dataset } of all("time[data-opens]")) dataset.until ??= dataset.opensAt;
  tell("allo:times");
}

function write(time, left) {
  const hours = Math.floor((left % DAY) / 3600);
  const parts = [Math.floor(left / DAY), hours, Math.floor(left / 60) % 60, left % 60];
  const places = [...time.querySelectorAll("b")];
  if (places.length) {
    const first = parts.findIndex((part, n) => part || n > 1);
    places.forEach((place, n) => {
      set(place, two(parts[n]));
      place.parentElement.hidden = n < first;
    });
    time.classList.toggle("opening-soon", left <= 60);
    return;
  }
  const clock = `${parts[0] * 24 + hours}:${two(parts[2])}:${two(parts[3])}`;
  set(time, left < 2 * DAY ? `in ${clock}` : `in ${parts[0]} days`);
}

function set(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function open(product) {
  for (const { dataset } of all(`time[data-opens="${product}"]`)) {
    delete dataset.opens;
    delete dataset.until;
  }
  ready.then(() => tell("allo:open", product));
}

document.addEventListener("allo:left", (event) => {
  const { target: time, detail: left } = event;
  if (!time.dataset.opens) return;
  event.preventDefault();
  if (left) write(time, left);
  else open(time.dataset.opens);
});

// The page as it is now: the opening may be at another time, or over.
document.addEventListener("allo:read", ({ detail: page }) => {
  for (const { dataset } of all("time[data-opens]")) {
    const its = `[data-opens="${dataset.opens}"]`;
    const now = page.querySelector(`time${its}`);
    if (now) dataset.until = now.dataset.opensAt;
    else if (page.querySelector(`[data-stock="${dataset.opens}"]`)) open(dataset.opens);
  }
});

document.addEventListener("htmx:afterSettle", look);
look();
