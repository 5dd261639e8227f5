// Keys that an input method takes while somebody writes 中文 are its own: Enter takes a word, arrows and digits choose
// one, Esc gives up. No shortcut, list or form of ours may see them. Safari sends the Enter that ends a word after the
// word, and tells it by the code 229 alone.
addEventListener("keydown", (event) => (event.isComposing || event.keyCode === 229) && event.stopImmediatePropagation(), { capture: true });
