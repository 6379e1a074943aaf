// Files in a form of the admin: lists what was chosen or dropped, refuses at once what the shop would
// refuse, and shows the progress of sending it. A lost connection leaves the form as it was.
const MEGABYTE = 2 ** 20;
const DRAWN = "Sent. The shop draws the pictures anew…";
const LOST = "No connection to the shop. Nothing is lost: press Save again once you are back online.";
const REFUSED = "The shop did not take it. Load this page in another tab, then press Save again here.";
const form = () => document.querySelector("form[enctype='multipart/form-data']");
const inputs = () => [...form().querySelectorAll("input[type=file]")];
const note = Object.assign(document.createElement("p"), { className: "upload-note" });
const words = document.createElement("span");
const bar = document.createElement("progress");
note.setAttribute("role", "status");
note.append(words, bar);

const size = (bytes) => `${(bytes / MEGABYTE).toFixed(bytes < MEGABYTE ? 2 : 1)} MB`;

function faultOf({ files, dataset: { most = 1, megabytes } }) {
  if (files.length > most) return `At most ${most} at a time: you chose ${files.length}.`;
  const large = [...files].find((file) => file.size > megabytes * MEGABYTE);
  return large ? `${large.name} is larger than ${megabytes} MB.` : "";
}

const line = (textContent, className = "") =>
  Object.assign(document.createElement("li"), { textContent, className });

function name(input) {
  const list = Object.assign(document.createElement("ul"), { className: "chosen" });
  list.append(...[...input.files].map((file) => line(`${file.name}, ${size(file.size)}`)));
  const fault = faultOf(input);
  input.setCustomValidity(fault);
  if (fault) list.append(line(fault, "chosen-fault"));
  const before = input.nextElementSibling;
  if (before?.matches(".chosen")) before.remove();
  input.after(list);
}

function say(text, share) {
  words.textContent = text;
  bar.hidden = share === undefined;
  bar.value = share ?? 0;
  for (const button of form().querySelectorAll("[type=submit]")) button.disabled = !bar.hidden;
}

// Shows the page with the form's errors; the chosen files stay chosen.
function put(page) {
  const chosen = inputs();
  const fresh = page.getElementById("content-start");
  if (!fresh?.querySelector("form")) return say(REFUSED);
  document.getElementById("content-start").replaceWith(document.adoptNode(fresh));
  for (const { id, files } of chosen.filter((input) => input.files.length)) {
    const input = document.getElementById(id);
    input.files = files;
    name(input);
  }
  (document.querySelector(".errornote") ?? form()).scrollIntoView();
}

function send(button) {
  const request = new XMLHttpRequest();
  request.open("POST", location);
  request.setRequestHeader("HX-Request", "true");
  request.upload.onprogress = ({ loaded, total }) => {
    say(loaded < total ? `${size(loaded)} of ${size(total)} sent` : DRAWN, loaded / total);
  };
  request.onload = () => {
    const to = request.getResponseHeader("HX-Redirect");
    if (to) return location.assign(to);
    say("");
    put(new DOMParser().parseFromString(request.responseText, "text/html"));
  };
  request.onerror = () => say(LOST);
  const data = new FormData(form(), button);
  form().querySelector(".submit-row").before(note);
  say("Sending…", 0);
  request.send(data);
}

document.addEventListener("change", ({ target }) => target.matches("input[type=file]") && name(target));
document.addEventListener("submit", (event) => {
  if (event.target !== form() || !inputs().some((input) => input.files.length)) return;
  event.preventDefault();
  const wrong = inputs().find((input) => !input.validity.valid && input.validity.customError);
  if (wrong) wrong.reportValidity();
  else send(event.submitter);
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, ({ target, type }) => {
    const over = type === "dragenter" || type === "dragover";
    if (target.matches?.("input[type=file]")) target.classList.toggle("over", over);
  });
}
