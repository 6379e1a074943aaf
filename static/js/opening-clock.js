// The large clock of a product that opens later: days, hours, minutes and seconds, each in its place.
function write(time, left) {
  const hours = Math.floor(left / 3600);
  const parts = [Math.floor(hours / 24), hours % 24, Math.floor(left / 60) % 60, left % 60];
  const first = parts.findIndex((part, n) => part || n > 1);
  [...time.querySelectorAll("b")].forEach((place, n) => {
    const text = String(parts[n]).padStart(2, "0");
    if (place.textContent !== text) place.textContent = text;
    place.parentElement.hidden = n < first;
  });
  time.classList.toggle("opening-soon", left <= 60);
}

addEventListener("allo:left", (event) => {
  const { target: time, detail: left } = event;
  if (!left || !time.matches(".opening-clock")) return;
  event.preventDefault();
  write(time, left);
});
