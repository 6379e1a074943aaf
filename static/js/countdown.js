// Counts down every <time data-until> by the server's clock. Whatever tells its time arrives late, a
// cached page most of all: so the latest of Server-Timing, data-now and the stream counts.
const [page] = performance.getEntriesByType("navigation");
const sent = page?.serverTiming?.find(({ name }) => name === "now")?.duration ?? 0;
const stamp = Math.max(sent / 1000, document.documentElement.dataset.now);
let server = stamp - (page?.responseStart ?? 0) / 1000;
const now = () => server + performance.now() / 1000;

const two = (number) => String(number).padStart(2, "0");

function clock(seconds) {
  const [minutes, hours] = [60, 3600].map((unit) => Math.floor(seconds / unit));
  if (hours > 47) return `${Math.floor(hours / 24)} days`;
  const last = two(seconds % 60);
  return hours ? `${hours}:${two(minutes % 60)}:${last}` : `${minutes}:${last}`;
}

function show(time) {
  const { until, lead = "", over = "0:00" } = time.dataset;
  const left = Math.max(0, Math.ceil(until - now()));
  const words = left ? lead + clock(left) : over;
  const news = new CustomEvent("allo:left", { bubbles: true, cancelable: true, detail: left });
  if (time.dispatchEvent(news) && time.textContent !== words) time.textContent = words;
  if (!left) askSoon(time);
}

// After the end of a hold the page asks the server. Many holds end at once, so it waits up to a second
// first; if that did not help it asks again, each time later.
const plans = new Map();

function askSoon(time) {
  const part = time.closest("[data-resync]");
  if (!part) return;
  const name = part.id + time.dataset.until;
  const plan = plans.get(name) ?? { at: now() + Math.random(), wait: 1 };
  plans.set(name, plan);
  if (now() < plan.at) return;
  plan.at = now() + plan.wait;
  plan.wait *= 2;
  part.dispatchEvent(new Event("refresh"));
}

function tick() {
  document.querySelectorAll("time[data-until]").forEach(show);
}

addEventListener("allo:now", ({ detail }) => {
  server = Math.max(server, detail - performance.now() / 1000);
});
addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
  // Date has whole seconds: only a greater difference means that this clock had stopped. An answer
  // that came late is behind by less than a minute, a server whose clock was set back by more.
  const ahead = Date.parse(xhr.getResponseHeader("Date")) / 1000 + 0.5 - now();
  if (ahead > 1.5 || ahead < -60) server += ahead;
});

addEventListener("allo:times", tick);
addEventListener("htmx:afterSettle", tick);
tick();
setInterval(tick, 250);
