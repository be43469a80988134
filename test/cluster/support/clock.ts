// SPDX-License-Identifier: Apache-2.0
// A wall clock of a process's own, by Debian's libfaketime: it can jump while the process runs. The machine's clock stays as
// it is, and so does the process's monotonic one, as when an administrator sets a clock.
import { renameSync, writeFileSync } from "node:fs";

type Environment = Readonly<Record<string, string>>;

/** ld.so knows where Debian puts libraries of this architecture. */
const PRELOADED: Environment = {
  LD_PRELOAD: "/usr/$LIB/faketime/libfaketimeMT.so.1",
  DONT_FAKE_MONOTONIC: "1",
  NO_FAKE_STAT: "1",
};

export class Clock {
  readonly #file: string;

  /** file: where the process reads how far it is from the machine's clock; it begins without a difference. */
  constructor(file: string) {
    this.#file = file;
    this.jump("+0");
  }

  /** Of a process that has this clock. */
  get environment(): Environment {
    return { ...PRELOADED, FAKETIME_TIMESTAMP_FILE: this.#file, FAKETIME_NO_CACHE: "1" };
  }

  /** To so far from the machine's clock: "+1d", "-1d", "+0". */
  jump(offset: string): void {
    writeFileSync(`${this.#file}.new`, `${offset}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** A command with a clock that is so far from the machine's. */
export function atClock(offset: string, argv: readonly string[]): readonly string[] {
  const environment = Object.entries({ ...PRELOADED, FAKETIME: offset });
  return ["env", ...environment.map(([name, value]) => `${name}=${value}`), ...argv];
}
