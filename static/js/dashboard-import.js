// A file that is dropped anywhere on the page is imported, and so is a chart's JSON that is pasted beside all fields.
const form = document.querySelector("[data-drop-import]");
const words = document.querySelector("[data-drop-here]");
const hasFile = (event) => Boolean(form) && [...(event.dataTransfer?.types ?? [])].includes("Files");

addEventListener("dragover", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  words.hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget && words) words.hidden = true;
});
addEventListener("drop", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  words.hidden = true;
  form.elements.file.files = event.dataTransfer.files;
  form.requestSubmit();
});
addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text/plain").trim();
  if (!form || !text.startsWith("{") || event.target.closest?.("input, textarea, select")) return;
  event.preventDefault();
  form.elements.text.value = text;
  form.requestSubmit();
});
