// Opens <dialog id="x"> from a link with data-dialog="x", which leads to the same question as a
// page of its own. Escape closes it by itself; so does a click outside and [data-close].
let opener;

document.addEventListener("click", (event) => {
  const { target } = event;
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = target.closest("[data-dialog]");
  const open = target.closest("dialog[open]");
  if (link) {
    event.preventDefault();
    opener = link.id;
    document.getElementById(link.dataset.dialog).showModal();
  } else if (open && (target === open || target.closest("[data-close]"))) {
    event.preventDefault();
    open.close();
  }
});

// What opened it may have been drawn anew meanwhile: then its successor gets the focus.
document.addEventListener(
  "close",
  () => {
    if (document.activeElement === document.body) document.getElementById(opener)?.focus();
  },
  true,
);

// What could not be done in place is done as a page: the link's own, or the form as browsers send
// it. Its idempotency key sees to it that nothing is done twice.
for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, ({ target }) => {
    if (target.matches("[data-dialog]")) location.assign(target.href);
    if (target.matches("form[method=post]")) target.submit();
  });
}
