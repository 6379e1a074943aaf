// The grid's filters: addresses without empty fields, one history entry per list, results scrolled
// into view, numbers and buttons that follow the choices, and the header's search.
const filters = document.getElementById("filters");

const address = (fields) => {
  for (const [name, value] of [...fields]) {
    if (!value || value === "featured") fields.delete(name);
  }
  return String(new URLSearchParams(fields));
};

let shown = address(new FormData(filters));

filters.addEventListener("htmx:configRequest", (event) => {
  const wanted = address(event.detail.formData);
  if (wanted === shown) event.preventDefault();
  shown = wanted;
});

// The results may be outside the viewport. What failed may be sent again. On a phone the search
// stays in view while it is typed in.
function reveal() {
  const { top } = filters.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 3) filters.scrollIntoView();
}

filters.addEventListener("submit", reveal);
filters.addEventListener("htmx:afterRequest", ({ detail: { requestConfig, xhr } }) => {
  if (xhr.status !== 200) shown = null;
  if (innerWidth > 767 || requestConfig.triggeringEvent?.type !== "input") reveal();
});

// How many products each choice would show: those that would show none cannot be chosen.
addEventListener("htmx:afterSettle", () => {
  const { counts } = document.getElementById("results").dataset;
  const known = new Map(counts?.split(" ").map((choice) => choice.split(":")));
  for (const choice of filters.querySelectorAll(".chip input, [data-label]")) {
    const { checked, selected, dataset, parentElement, value } = choice;
    const found = counts && (known.get(`${choice.name ?? parentElement.name}=${value}`) ?? "0");
    const number = parentElement.querySelector("small");
    choice.disabled = found === "0" && !checked && !selected;
    choice.hidden = choice.disabled && !number;
    if (number) number.textContent = found ?? "";
    else choice.text = found ? `${dataset.label} (${found})` : dataset.label;
  }
});

// What is set in it is on its button.
filters.addEventListener("change", () => {
  for (const facet of filters.querySelectorAll(".facet")) {
    const labels = [...facet.querySelectorAll(":checked + span bdi")];
    facet.querySelector(".facet-chosen").replaceChildren(...labels.map((it) => it.cloneNode(true)));
  }
});

if (location.hash === "#id_q") filters.elements.q.focus({ preventScroll: true });
