// A query as text, in pieces: terms such as level:ERROR, -env:dev or latency:>2, and free words. The text itself stays
// what was typed; what it means is the server's business (tracing/queries/explorer).

const FIELD = /^(-?)((?:[^\s:"()]|"(?:\\.|[^"\\])*")+):([\s\S]+)$/;

// Pieces between spaces; quotes and parentheses hold together what is inside them.
// {text, start, end, isOpen}: `isOpen` says that a quote or parenthesis waits for its end.
export function pieces(text) {
  const found = [];
  let start = -1, depth = 0, quoted = false;
  const finish = (end) => {
    if (start >= 0) found.push({ text: text.slice(start, end), start, end, isOpen: quoted || depth > 0 });
    start = -1;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (!quoted && depth === 0 && /\s/.test(character)) {
      finish(at);
      continue;
    }
    if (start < 0) start = at;
    if (quoted && character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === "(") depth++;
    else if (!quoted && character === ")") depth = Math.max(0, depth - 1);
  }
  finish(text.length);
  return found;
}

// {isNegated, field, values} of a term, values as written; null for a free word.
export function term(text) {
  const match = FIELD.exec(text);
  if (!match) return null;
  const [, minus, field, rest] = match;
  const isList = rest.startsWith("(") && rest.endsWith(")");
  const values = isList ? pieces(rest.slice(1, -1)).map((piece) => piece.text).filter((word) => word !== "OR") : [rest];
  return { isNegated: minus === "-", field, values, isOpen: pieces(text).some((piece) => piece.isOpen) };
}

export const isTerm = (text) => term(text) !== null;

export const plain = (value) => (/^"[\s\S]*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value);

// Names of one field are many (env, environment): `names` maps each to the one that counts.
function canonical(field, names) {
  const [, stem, key] = /^([^.]*)(.*)$/s.exec(field);
  return (names[stem.toLowerCase()] ?? stem) + key;
}

const write = (field, values) => `${field}:${values.length > 1 ? `(${values.join(" OR ")})` : values[0]}`;

// One value of a field goes in or out; several of one field mean any of them.
export function toggled(text, field, value, names) {
  const all = apart(text);
  const at = all.findIndex((piece) => isPlainTermOf(piece, field, names));
  if (at < 0) return [...all, write(field, [value])].join(" ");
  const { field: name, values } = term(all[at]);
  const left = values.filter((other) => plain(other) !== plain(value));
  if (left.length === values.length) left.push(value);
  all.splice(at, 1, ...(left.length ? [write(name, left)] : []));
  return all.join(" ");
}

// The field says this and nothing else; `condition` is what follows the colon, empty for no condition at all.
export function replaced(text, field, condition, names) {
  const others = apart(text).filter((piece) => !isTermOf(piece, field, names));
  return [...others, ...(condition ? [`${field}:${condition}`] : [])].join(" ");
}

// Another condition beside alternatives holds for all of them.
const hasAlternatives = (text) => pieces(text).some((piece) => piece.text === "OR");

function apart(text) {
  return hasAlternatives(text) ? [`(${text.trim()})`] : pieces(text).map((piece) => piece.text);
}

function isTermOf(piece, field, names) {
  const found = term(piece);
  return found !== null && canonical(found.field, names) === canonical(field, names);
}

function isPlainTermOf(piece, field, names) {
  const found = term(piece);
  return isTermOf(piece, field, names) && !found.isNegated && !/^[<>]|^\S+\.\.\S+$/.test(found.values[0]);
}
