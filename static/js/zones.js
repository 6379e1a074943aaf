// Times of day are the shop's. Where this browser's clock shows another time, each says so: "14:32
// IST". What ticks is the same everywhere.
const zone = document.documentElement.dataset.zone;

const nameOf = (date) =>
  new Intl.DateTimeFormat("en-IN", { timeZone: zone, timeZoneName: "short" })
    .formatToParts(date)
    .find(({ type }) => type === "timeZoneName").value;

const clockIn = (date, timeZone) =>
  new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short", timeStyle: "short" }).format(date);

function name() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-until], [data-zoned])")) {
    const date = new Date(time.dateTime);
    time.dataset.zoned = "";
    if (/\d:\d\d/.test(time.textContent) && clockIn(date, zone) !== clockIn(date)) {
      time.append(` ${nameOf(date)}`);
    }
  }
}

document.addEventListener("htmx:afterSettle", name);
name();
