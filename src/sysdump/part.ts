// SPDX-License-Identifier: Apache-2.0
// What an archive is made of: files, each with how its text is had. One that cannot be had says why in its place.

/** A file of the archive. */
export interface Part {
  /** Its path below the archive's directory. */
  readonly file: string;
  /** For people: what it holds or where it comes from, a command for one. */
  readonly what: string;
  /** Its text. Throws what is in the way of it; PartialError with what is there nevertheless. */
  readonly read: () => string | Promise<string>;
}

/** Not all of a part could be had. */
export class PartialError extends Error {
  override readonly name = "PartialError";
  readonly text: string;

  constructor(message: string, text: string) {
    super(message);
    this.text = text;
  }
}

/** A line of the archive's index. */
export interface IndexLine {
  readonly file: string;
  readonly what: string;
  /** Of the text; 0: there is none. */
  readonly bytes: number;
  /** Why it is not there, or not whole; null: it is. The same stands in FILE.error. */
  readonly error: string | null;
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
