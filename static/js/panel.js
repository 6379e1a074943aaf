// A product's warehouses in the panel and the dialog, and what can be done now: the page holds the
// words for each state, and the numbers decide which are in sight.
const all = (selector) => document.querySelectorAll(selector);

function write(it, { total, held }) {
  const left = total - held;
  const choice = it.querySelector("input");
  const none = total ? "All held" : "None here";
  const words = left > 0 ? `${left} left` : none;
  const text = it.matches(".tally") ? `${left} left, ${held} held` : words;
  if (it.matches(".shelf")) it.classList.toggle("shelf-none", left < 1);
  const place = it.querySelector("[data-left]");
  if (place.textContent !== text) {
    // In its place: changed in place, a longer text would count as a shift of the layout.
    const fresh = place.cloneNode();
    fresh.append(text);
    place.replaceWith(fresh);
  }
  if (choice && !choice.checked && choice !== document.activeElement) {
    choice.disabled = left < 1 && !("mine" in it.dataset);
  }
}

let gone = false;

// Something hidden cannot keep the focus: what replaced it gets the focus. A form that somebody may be
// filling in stays, as long as it can be sent.
function turn(product, state) {
  let lost;
  for (const it of all(`[data-of="${product}"][data-when]`)) {
    const hidden = !it.dataset.when.split(" ").includes(gone ? "gone" : state);
    if (hidden && !gone && it.querySelector("input:not([type=hidden])")) continue;
    if (hidden && it.contains(document.activeElement)) lost = it.parentElement;
    it.hidden = hidden;
  }
  const shown = ":scope > [data-when]:not([hidden])";
  lost?.querySelector(`${shown}[tabindex],${shown} :is(a,button)`)?.focus();
}

addEventListener("allo:shown", ({ detail: { product, its, state, time, wait } }) => {
  for (const it of all(`[data-lapses="${product}"]`)) {
    it.replaceChildren(...(time ? [" The next hold may lapse ", time, "."] : []));
  }
  for (const row of its) for (const it of all(`[data-row="${row.id}"]`)) write(it, row);
  turn(product, state);
  // A warehouse that the panel does not know.
  const panel = document.querySelector(`#reserve-panel:has([data-stock="${product}"])`);
  if (panel && its.some(({ id }) => !panel.querySelector(`[data-row="${id}"]`))) ask(panel, wait);
});

// Whether and when it opens changes more than numbers.
addEventListener("allo:read", ({ detail: page }) => {
  const [own, its] = [document, page].map((it) => it.querySelector("#reserve-panel"));
  if (own && its && own.dataset.opening !== its.dataset.opening) ask(own, 0);
});

// Whether the page's product is not in the shop any more.
addEventListener("allo:gone", ({ detail }) => {
  if (detail === gone) return;
  gone = detail;
  const note = document.querySelector(`[data-when="gone"]`);
  if (!gone || !note) return;
  turn(note.dataset.of);
  dispatchEvent(new CustomEvent("allo:announce", { detail: note.textContent.trim() }));
});

let asked;

function ask(panel, wait) {
  clearTimeout(asked);
  // A shared part is kept for a second.
  asked = setTimeout(() => panel.dispatchEvent(new Event("refresh")), 1000 + wait);
}

// A part read before what is shown is not put in its place, unless the clock was set back.
addEventListener("htmx:beforeSwap", ({ target, detail }) => {
  if (target.id !== "reserve-panel") return;
  const at = Number(/data-at="(\d+)"/.exec(detail.serverResponse)?.[1]);
  const shown = Number(target.querySelector("[data-at]")?.dataset.at);
  if (at < shown && at > shown - 6e7) detail.shouldSwap = false;
});
