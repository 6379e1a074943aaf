// Refreshes the list of reservations: htmx requests its rows, and only changed ones are replaced,
// so that the selection and the focus are kept.
const rows = document.getElementById("console-rows");
const said = new WeakMap();

const key = (row) => row.querySelector("th a")?.getAttribute("href") ?? row.innerText;

const remember = (body) => {
  for (const row of body.rows) said.set(row, row.innerHTML);
};

function put(row, fresh) {
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  [...fresh.cells].forEach((cell, n) => {
    if (!cell.classList.contains("action-checkbox")) row.cells[n].innerHTML = cell.innerHTML;
  });
  if (focused && !focused.isConnected) {
    const href = focused.getAttribute("href");
    [...row.querySelectorAll("a")].find((link) => link.getAttribute("href") === href)?.focus();
  }
}

function patch(body, fresh) {
  const known = new Map([...body.rows].map((row) => [key(row), row]));
  let next = body.rows[0] ?? null;
  for (const now of [...fresh.rows]) {
    const html = now.innerHTML;
    const row = known.get(key(now)) ?? document.importNode(now, true);
    if (known.delete(key(now)) && said.get(row) !== html) put(row, now);
    said.set(row, html);
    if (row === next) next = row.nextElementSibling;
    else body.insertBefore(row, next);
  }
  for (const gone of known.values()) gone.remove();
}

// Django's script counts only the rows of the initial page.
function count() {
  const boxes = [...rows.querySelectorAll("input.action-select")];
  const counter = document.querySelector("span.action-counter");
  const chosen = boxes.filter((box) => box.checked).length;
  if (counter) counter.textContent = `${chosen} of ${boxes.length} selected`;
}

rows.addEventListener("htmx:afterRequest", ({ detail: { xhr, successful } }) => {
  // A link that is replaced between its press and its release gets no click.
  if (rows.matches(":has(:is(a,button):active)")) return;
  const page = new DOMParser().parseFromString(successful ? xhr.responseText : "", "text/html");
  const fresh = page.querySelector("[data-rows]");
  if (!fresh) return;
  const [old, now] = [rows, fresh].map((part) => part.querySelector("#result_list tbody"));
  if (!old || !now) {
    if (old || now) rows.replaceChildren(document.importNode(fresh, true));
  } else {
    patch(old, now);
    rows.querySelector(".paginator")?.replaceWith(fresh.querySelector(".paginator"));
  }
  count();
});

rows.addEventListener("change", () => setTimeout(count));
const first = rows.querySelector("#result_list tbody");
if (first) remember(first);
