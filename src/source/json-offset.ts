// SPDX-License-Identifier: Apache-2.0
// Finds where a value stands in a JSON text, for messages: JSON.parse, which is fast, does not say.

/** The text must be valid JSON. Offset of the value at the path, or of the nearest value around it that exists. */
export function offsetInJson(text: string, path: readonly (string | number)[]): number {
  let offset = skip(text, 0, /\s*/y);
  for (const key of path) {
    const next = typeof key === "number" ? element(text, offset, key) : member(text, offset, key);
    if (next === undefined) return offset;
    offset = next;
  }
  return offset;
}

function element(text: string, list: number, index: number): number | undefined {
  if (text[list] !== "[") return undefined;
  let offset = skip(text, list + 1, /\s*/y);
  for (let i = 0; text[offset] !== "]"; i++) {
    if (i === index) return offset;
    offset = skip(text, endOfValue(text, offset), /[\s,]*/y);
  }
  return undefined;
}

/** Of a name given twice the last counts, as JSON.parse has it. */
function member(text: string, object: number, name: string): number | undefined {
  if (text[object] !== "{") return undefined;
  let found: number | undefined;
  let offset = skip(text, object + 1, /\s*/y);
  while (text[offset] !== "}") {
    const end = endOfValue(text, offset);
    const value = skip(text, end, /[\s:]*/y);
    if (JSON.parse(text.slice(offset, end)) === name) found = value;
    offset = skip(text, endOfValue(text, value), /[\s,]*/y);
  }
  return found;
}

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return skip(text, start, STRING);
  if (text[start] !== "{" && text[start] !== "[") return skip(text, start, /[^\s,\]}]*/y);
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text[i];
    if (c === '"') i = skip(text, i, STRING) - 1;
    else if (c === "{" || c === "[") depth++;
    else if ((c === "}" || c === "]") && --depth === 0) return i + 1;
  }
  return text.length;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;

function skip(text: string, from: number, what: RegExp): number {
  what.lastIndex = from;
  return what.test(text) ? what.lastIndex : from;
}
