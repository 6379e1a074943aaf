// Opens <dialog id="x"> from a link with data-dialog="x"; without JavaScript the link leads to a
// page with the same content. Escape, a click outside, and [data-close] close it.
let opener;
const waits = [...document.querySelectorAll(".dialog-wait")].map((it) => [it.parentElement, it]);

document.addEventListener("click", (event) => {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = target.closest("[data-dialog]");
  const open = target.closest("dialog[open]");
  if (link) {
    event.preventDefault();
    opener = link.id;
    // The form of a closed dialog is old, and the form of the other dialog has the same ids.
    for (const [body, wait] of waits) body.replaceChildren(wait);
    const dialog = document.getElementById(link.dataset.dialog);
    if (!dialog.open) dialog.showModal();
  } else if (open && (target === open || target.closest("[data-close]"))) {
    event.preventDefault();
    open.close();
  }
});

// If the focus did not go back to what opened it, the link was replaced meanwhile, and its successor
// gets it; or it is hidden since the opening, and what is there instead does.
addEventListener(
  "close",
  () => {
    if (document.querySelector(":focus:not(dialog *)")) return;
    for (const id of ["join-link", "reserve-link", opener]) document.getElementById(id)?.focus();
  },
  true,
);

// If the shop answers with an error, fall back to a page: follow the link, or submit the form
// without htmx. The idempotency key prevents a second effect.
addEventListener("htmx:responseError", ({ target }) => {
  if (target.matches("[data-dialog]")) location.assign(target.href);
  if (target.matches("form[method=post]")) target.submit();
  // What was typed may have been sent with the token of before a sign-in in another tab.
  if (target.id === "buyer") target.closest("[data-resync]").dispatchEvent(new Event("refresh"));
});
