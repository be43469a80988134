// SPDX-License-Identifier: Apache-2.0
// What the kernel and libbpf refused, as errors: which call on which thing, errno, and what to do about it.

import { getSystemErrorName } from "node:util";

/** Error numbers node does not name: the kernel's internal ENOTSUPP and libbpf's own (libbpf_legacy.h). */
const OTHER_CODES: ReadonlyMap<number, string> = new Map([
  [-524, "ENOTSUPP"],
  [-4000, "LIBBPF_LIBELF"],
  [-4001, "LIBBPF_FORMAT"],
  [-4002, "LIBBPF_KVERSION"],
  [-4003, "LIBBPF_ENDIAN"],
  [-4004, "LIBBPF_INTERNAL"],
  [-4005, "LIBBPF_RELOC"],
  [-4006, "LIBBPF_LOAD"],
  [-4007, "LIBBPF_VERIFY"],
  [-4008, "LIBBPF_PROG2BIG"],
  [-4009, "LIBBPF_KVER"],
  [-4010, "LIBBPF_PROGTYPE"],
  [-4011, "LIBBPF_WRNGPID"],
  [-4012, "LIBBPF_INVSEQ"],
  [-4013, "LIBBPF_NLPARSE"],
]);

export interface BpfErrorFields {
  /** For example "bpf(BPF_MAP_UPDATE_ELEM)" */
  readonly syscall: string;
  /** negative, as libuv has it */
  readonly errno: number;
  /** Name of the map, program, device or path */
  readonly object?: string | undefined;
  readonly hint?: string | undefined;
}

/** Every refusal by the kernel or libbpf. code is the errno's name ("E2BIG"). */
export class BpfError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly object: string | undefined;
  readonly hint: string | undefined;

  constructor(fields: BpfErrorFields) {
    const code = codeOf(fields.errno);
    const subject = fields.object === undefined ? fields.syscall : `${fields.syscall} ${fields.object}`;
    super(fields.hint === undefined ? `${subject}: ${code}` : `${subject}: ${code}: ${fields.hint}`);
    this.name = "BpfError";
    this.code = code;
    this.errno = fields.errno;
    this.syscall = fields.syscall;
    this.object = fields.object;
    this.hint = fields.hint;
  }
}

/** The verifier refused a program; its message ends with the log's last meaningful line. */
export class VerifierError extends BpfError {
  readonly log: readonly string[];

  constructor(fields: BpfErrorFields, log: readonly string[]) {
    super({ ...fields, hint: verifierSummary(log) });
    this.name = "VerifierError";
    this.log = log;
  }
}

/** "R1 type=ctx expected=fp (12 lines omitted)" */
export function verifierSummary(log: readonly string[]): string {
  const noise = /^(processed \d+ insns|verification time|stack depth|max_states|peak_states|mark_read|\s*$)/;
  const meaningful = log.filter((line) => !noise.test(line));
  const last = meaningful.at(-1) ?? "the verifier gave no reason";
  return log.length > 1 ? `${last.trim()} (${log.length - 1} lines omitted)` : last.trim();
}

/** The one place where native failures become errors; the addon calls it. log: all that libbpf said meanwhile. */
export function errorFromNative(
  syscall: string,
  errno: number,
  object: string | undefined,
  hint: string | undefined,
  log: string | undefined,
): BpfError {
  const refused = /prog '([^']+)': -- BEGIN PROG LOAD LOG --\n([\s\S]*?)-- END PROG LOAD LOG --/.exec(log ?? "");
  const text = refused?.[2]?.trimEnd();
  if (refused !== null && text !== undefined && text !== "") {
    return new VerifierError({ syscall: "bpf(BPF_PROG_LOAD)", errno, object: refused[1] }, text.split("\n"));
  }
  return new BpfError({ syscall, errno, object, hint: hint ?? firstMessage(log) });
}

function firstMessage(log: string | undefined): string | undefined {
  const line = log?.split("\n").find((text) => text.trim() !== "");
  return line?.replace(/^libbpf: /, "").trim();
}

/** "ENOENT" of -2 */
export function codeOf(errno: number): string {
  return OTHER_CODES.get(errno) ?? getSystemErrorName(errno);
}
