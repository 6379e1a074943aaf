// A waiting room's page. All pages get one message, with who is next and the state of the line, and
// each finds its own place in it. Only a page whose turn it may be reloads itself.
const room = document.getElementById("room");
// Messages come at least every 10 s.
const SILENCE = 25_000;
const AGAIN = 3000;
// As in page.py.
const SPREAD = 1.5;

const parts = (selector) => [...document.querySelectorAll(selector)];
const put = (name, words) => {
  for (const part of parts(`[data-${name}]`)) if (part.textContent !== `${words}`) part.textContent = words;
};
const choose = (name, value) => {
  for (const part of parts(`[data-${name}]`)) part.hidden = part.dataset[name] !== value;
};
const say = (detail) => dispatchEvent(new CustomEvent("allo:announce", { detail }));

let heard = performance.now();
let asked = -AGAIN;

// Reloads only if the page can be fetched: the error page of a browser, or of the proxy in front of
// the live process, would never reload.
async function comeAgain() {
  if (performance.now() - asked < AGAIN) return;
  asked = performance.now();
  try {
    const { status } = await fetch(location, { redirect: "manual" });
    if (status !== 502 && status !== 504) location.reload();
  } catch {}
}

// How many are before this score, from marks such as "0:0.12 10:0.97".
function before(score, marks) {
  const known = marks.map((mark) => mark.split(":").map(Number));
  const next = known.findIndex(([, at]) => at >= score);
  if (next === 0 || !known.length) return 0;
  if (next < 0) return known.at(-1)[0];
  const [[low, from], [high, to]] = known.slice(next - 1);
  return Math.round(low + (high - low) * ((score - from) / (to - from)));
}

function estimate(rank, pace) {
  if (pace < 1 / 600) return "";
  const minutes = (rank + 1) / pace / 60;
  const [low, high] = [Math.floor(minutes / SPREAD), Math.ceil(minutes * SPREAD)];
  if (high <= 1) return "less than a minute";
  return low ? `${low} to ${high} minutes` : `less than ${high} minutes`;
}

function showLine(marks, pace, supply) {
  const rank = before(Number(room.dataset.score), marks);
  const words = estimate(rank, pace);
  const scarce = supply > 0 && rank >= supply;
  put("place", rank + 1);
  put("estimate", words);
  choose("part", "open");
  for (const part of parts('[data-part="estimate"]')) part.hidden = scarce || !words;
  for (const part of parts('[data-part="scarce"]')) part.hidden = !scarce;
}

function stockOf(phase, supply, held) {
  if (supply > 0 || phase === "early") return "left";
  return held > 0 ? "held" : "sold";
}

function hear([phase, supply, held, next, waiting, pace, ...marks]) {
  put("supply", supply);
  put("held", held);
  put("waiting", waiting);
  choose("stock", stockOf(phase, supply, held));
  if (phase !== "open") return;
  showLine(marks, Number(pace), supply);
  if (room.dataset.phase !== "open") say("The doors are open: the order is drawn");
  room.dataset.phase = "open";
  if (Number(room.dataset.score) < Number(next.replace("inf", "Infinity"))) comeAgain();
}

if (room) {
  const source = new EventSource(new URL(`stream${location.search}`, location));
  source.onmessage = ({ data }) => {
    heard = performance.now();
    const [spread, , key, , ...numbers] = data.split(" ");
    if (key === "page") setTimeout(comeAgain, Math.random() * spread);
    else hear(numbers);
  };
  setInterval(() => performance.now() - heard > SILENCE && comeAgain(), 5000 + 2000 * Math.random());
}
