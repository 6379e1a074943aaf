// The grid's filters: addresses without empty fields, one history entry per list, results scrolled
// into view, and the header's search.
const filters = document.getElementById("filters");

const address = (fields) => {
  for (const [name, value] of [...fields]) {
    if (!value || value === "featured") fields.delete(name);
  }
  return new URLSearchParams(fields).toString();
};

let shown = address(new FormData(filters));

filters.addEventListener("htmx:configRequest", (event) => {
  const wanted = address(event.detail.formData);
  if (wanted === shown) event.preventDefault();
  shown = wanted;
});

// The results may be outside the viewport. What failed may be sent again.
filters.addEventListener("htmx:afterRequest", ({ detail: { successful } }) => {
  if (!successful) shown = null;
  const { top } = filters.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 3) filters.scrollIntoView();
});

if (location.hash === "#id_q") filters.elements.q.focus({ preventScroll: true });
