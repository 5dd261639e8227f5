// Buttons that copy the text of the element they name.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  await write(source.dataset.copyText ?? source.value ?? (source.content ?? source).textContent);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1600);
});

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Browsers offer the clipboard only to HTTPS and localhost; a plain-HTTP address in an office needs the old way.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
