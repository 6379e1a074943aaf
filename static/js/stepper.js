// The − and + buttons beside a number field, and what that many cost.
addEventListener("click", ({ target }) => {
  const button = target.closest("[data-step]");
  const input = button?.parentElement.querySelector("input");
  if (!input) return;
  if (button.dataset.step > 0) input.stepUp();
  else input.stepDown();
  input.dispatchEvent(new Event("input", { bubbles: true }));
});

addEventListener("input", ({ target: { form } }) => {
  const each = form?.querySelector("[data-each]:checked")?.dataset.each;
  if (!each) return;
  const { quantity } = form.elements;
  const paise = each * quantity.value;
  const least = { minimumFractionDigits: paise % 100 ? 2 : 0 };
  const rupees = `₹\u00A0${(paise / 100).toLocaleString("en-IN", least)}`;
  form.querySelector("output").value = quantity.validity.valid ? rupees : "–";
});
