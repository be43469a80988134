// SPDX-License-Identifier: Apache-2.0
// Finds where a text stops being JSON, for messages: JSON.parse does not always say.

/** Spaces, then punctuation (1), a string (2), or a number or word (3). */
const TOKEN =
  /\s*(?:([{}[\],:])|("(?:[^"\\\n\r]|\\.)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)))/y;

type Expected = "value" | "key" | "colon" | "comma";

/** Offset of the first token that does not belong where it stands; the text's length if it only ends too soon. */
export function jsonErrorOffset(text: string): number {
  const open: string[] = [];
  let expected: Expected = "value";
  let mayClose = false;
  for (let offset = 0; ; offset = TOKEN.lastIndex) {
    TOKEN.lastIndex = offset;
    const [token, mark] = TOKEN.exec(text) ?? [];
    const start = offset + (/^\s*/.exec(text.slice(offset))?.[0].length ?? 0);
    if (token === undefined || (open.length === 0 && expected === "comma")) return start;
    const inObject = open.at(-1) === "{";
    if (mark === "}" || mark === "]") {
      if ((mark === "}") !== inObject || open.length === 0 || !(mayClose || expected === "comma")) return start;
      open.pop();
      expected = "comma";
    } else if (mark === "{" || mark === "[") {
      if (expected !== "value") return start;
      open.push(mark);
      expected = mark === "{" ? "key" : "value";
    } else if (mark === ":" || mark === ",") {
      if (expected !== (mark === ":" ? "colon" : "comma")) return start;
      expected = mark === "," && inObject ? "key" : "value";
    } else if (expected === "key" && token.trimStart().startsWith('"')) expected = "colon";
    else if (expected === "value") expected = "comma";
    else return start;
    mayClose = mark === "{" || mark === "[";
  }
}
