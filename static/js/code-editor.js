// A field for code: numbers of its lines beside it, Tab indents, Enter keeps the indentation. Escape leaves the
// field, as it does every field, so that nobody is caught in it.
const INDENT = "    ";

for (const field of document.querySelectorAll("[data-code]")) {
  const numbers = document.createElement("div");
  numbers.className = "line-numbers num";
  numbers.setAttribute("aria-hidden", "true");
  field.before(numbers);

  const draw = () => {
    const number = field.value.split("\n").length;
    if (numbers.childElementCount !== number) {
      numbers.replaceChildren(...Array.from({ length: number }, (_, place) => Object.assign(document.createElement("span"), { textContent: place + 1 })));
    }
    const wrong = Number(field.dataset.wrongLine);
    for (const [place, line] of [...numbers.children].entries()) line.classList.toggle("wrong", place + 1 === wrong);
    numbers.scrollTop = field.scrollTop;
  };
  field.addEventListener("input", () => {
    delete field.dataset.wrongLine; // it is being mended
    draw();
  });
  field.addEventListener("scroll", () => (numbers.scrollTop = field.scrollTop));
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Tab") {
      event.preventDefault();
      if (event.shiftKey) outdent(field);
      else indent(field);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      breakLine(field);
    }
  });
  draw();
  new MutationObserver(draw).observe(field, { attributeFilter: ["data-wrong-line"] });
}

// By the browser's own command, so that undo knows of it.
function write(text) {
  document.execCommand("insertText", false, text);
}

function selectLines(field) {
  const start = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
  const after = field.value.indexOf("\n", Math.max(field.selectionEnd - 1, start));
  field.setSelectionRange(start, after < 0 ? field.value.length : after);
  return field.value.slice(field.selectionStart, field.selectionEnd);
}

function rewrite(field, change) {
  const start = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
  const text = selectLines(field).split("\n").map(change).join("\n");
  if (text) write(text);
  else document.execCommand("delete");
  field.setSelectionRange(start, start + text.length);
}

function indent(field) {
  if (field.selectionStart === field.selectionEnd) write(INDENT);
  else rewrite(field, (line) => (line ? INDENT + line : line));
}

function outdent(field) {
  const place = field.selectionStart === field.selectionEnd ? field.selectionStart : null;
  const before = field.value.length;
  rewrite(field, (line) => line.replace(/^( {1,4}|\t)/, ""));
  if (place !== null) {
    const now = Math.max(place - (before - field.value.length), 0);
    field.setSelectionRange(now, now);
  }
}

function breakLine(field) {
  const line = field.value.slice(field.value.lastIndexOf("\n", field.selectionStart - 1) + 1, field.selectionStart);
  const kept = line.match(/^[ \t]*/)[0];
  write(`\n${kept}${line.trimEnd().endsWith(":") ? INDENT : ""}`);
}
