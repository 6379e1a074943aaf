// Counts down every <time data-until> by the server's clock: the page's response contains it
// (Server-Timing, else data-now, which in a shared page may be a second old), and so does each
// response to htmx (Date). The device's own clock is not used.
const [page] = performance.getEntriesByType("navigation");
const sent = page?.serverTiming?.find(({ name }) => name === "now")?.duration;
const stamp = sent ? sent / 1000 : Number(document.documentElement.dataset.now);
let server = stamp - (page?.responseStart ?? 0) / 1000;
const now = () => server + performance.now() / 1000;

const MARKS = [
  [120, "2 minutes left"],
  [30, "30 seconds left"],
  [0, "The time has run out"],
];

const two = (number) => String(number).padStart(2, "0");

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

function show(time) {
  const left = Math.max(0, Math.ceil(time.dataset.until - now()));
  const words = left ? `${time.dataset.lead ?? ""}${clock(left)}` : (time.dataset.over ?? "0:00");
  if (time.textContent !== words) time.textContent = words;
  if ("deadline" in time.dataset) warn(time, left);
  if (!left) askAgain(time);
}

// The checkout's deadline: a bar, a visible warning, and announcements at three moments.
const before = new WeakMap();

function warn(time, left) {
  const page = time.closest("[data-resync]");
  page.dataset.left = left <= 120 ? "little" : "enough";
  const whole = time.dataset.until - time.dataset.since;
  page.querySelector(".clock-bar").style.scale = `${Math.min(left / whole, 1)} 1`;
  const mark = MARKS.find(([at]) => left <= at && before.get(time) > at);
  if (mark) document.dispatchEvent(new CustomEvent("allo:announce", { detail: mark[1] }));
  before.set(time, left);
}

// The server decides what follows. By its own clock the end may still be a moment away.
const asked = new WeakMap();

function askAgain(time) {
  const part = time.closest("[data-resync]");
  if (!part || performance.now() - (asked.get(part) ?? -Infinity) < 1000) return;
  asked.set(part, performance.now());
  part.dispatchEvent(new Event("refresh"));
}

function tick() {
  document.querySelectorAll("time[data-until]").forEach(show);
}

document.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
  const date = Date.parse(xhr?.getResponseHeader("Date")) / 1000;
  // The Date header has whole seconds: only a greater difference means that this clock had stopped.
  if (Math.abs(date + 0.5 - now()) > 1.5) server += date + 0.5 - now();
});

document.addEventListener("htmx:afterSettle", tick);
tick();
setInterval(tick, 250);
