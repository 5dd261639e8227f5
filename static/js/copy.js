// Buttons that copy: the text of the element they name, or a text that is fetched when it is asked for.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  if (button.dataset.copyFrom) await write(fetched(button.dataset.copyFrom));
  else {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    await write(source.dataset.copyText ?? source.value ?? (source.content ?? source).textContent);
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1600);
});

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
  return answer.text();
}

// A text, or the promise of one: a browser that lets only a click write must be told of it before the text is there.
export async function write(text) {
  if (navigator.clipboard?.write && text instanceof Promise) {
    const blob = text.then((content) => new Blob([content], { type: "text/plain" }));
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  }
  if (navigator.clipboard) return navigator.clipboard.writeText(await text);
  // Browsers offer the clipboard only to HTTPS and localhost; a plain-HTTP address in an office needs the old way.
  const area = document.createElement("textarea");
  area.value = await text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
