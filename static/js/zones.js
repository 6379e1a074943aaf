// Times are in the shop's zone: if the browser's differs, each names its zone.
const { zone: timeZone } = document.documentElement.dataset;

function name() {
  for (const time of document.querySelectorAll("time:not([data-until], [data-zoned])")) {
    const at = (options) => new Date(time.dateTime).toLocaleString("en-IN", options);
    time.dataset.zoned = "";
    if (!/:\d\d/.test(time.textContent) || at({ timeZone }) === at()) continue;
    time.append(" ", at({ timeZone, timeZoneName: "short" }).split(" ").at(-1));
  }
}

addEventListener("htmx:afterSettle", name);
name();
