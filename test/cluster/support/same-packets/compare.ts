// SPDX-License-Identifier: Apache-2.0
// Outcomes of one table under Portolan and under kube-proxy, but for the differences that are listed.
import { type Cell, nameOf, type Outcome } from "./cells.ts";
import { DIFFERENCES, type Difference, type KubeProxyMode, type Theirs } from "./differences.ts";
import type { OurPass, Pass, Setting } from "./proxies.ts";
import type { Answers } from "./world.ts";

export interface Comparison {
  readonly compared: number;
  /** "kube-proxy's outcome => ours: cells", one for each pair of outcomes that no difference explains. */
  readonly unlisted: readonly string[];
  /** Differences that changed no cell, and so are none. */
  readonly vain: readonly string[];
}

export function compare(cells: readonly Cell[], answers: Answers, ours: OurPass, mode: KubeProxyMode): Comparison {
  const known = DIFFERENCES.filter(({ of, beside }) => of.includes(ours) && beside.includes(mode));
  const used = new Set<Difference>();
  const unlisted = new Map<string, string[]>();
  const compared = cells.filter((cell) => answers.get(ours)?.has(nameOf(cell)));
  for (const cell of compared) {
    const met = metBy(answers, ours, cell).join(" | ");
    const expected = expectedOf(cell, answers, mode, known, used).join(" | ");
    if (met === expected) continue;
    const pair = `${expected} => ${met}`;
    unlisted.set(pair, [...(unlisted.get(pair) ?? []), nameOf(cell)]);
  }
  return {
    compared: compared.length,
    unlisted: [...unlisted].map(([pair, names]) => `${pair}: ${names.length} cells, ${names.slice(0, 5).join("; ")}`),
    vain: known.filter((one) => !used.has(one)).map(({ row, what }) => `row ${row}: ${what}`),
  };
}

function metBy(answers: Answers, pass: Pass["name"], cell: Cell): Outcome {
  const met = answers.get(pass)?.get(nameOf(cell));
  if (met === undefined) throw new Error(`${pass} was not asked: ${nameOf(cell)}`);
  return met;
}

/** What kube-proxy's outcome becomes by the differences that apply; those that change something are marked as used. */
function expectedOf(
  cell: Cell,
  answers: Answers,
  mode: KubeProxyMode,
  known: readonly Difference[],
  used: Set<Difference>,
): Outcome {
  const theirs: Theirs = (of, frontend = cell.frontend) => metBy(answers, `kube-proxy ${of}`, { ...cell, frontend });
  return known
    .filter(({ cells }) => cells(cell))
    .reduce<Outcome>((outcome, one) => {
      const changed = one.becomes(outcome, cell, theirs);
      if (changed.join() !== outcome.join()) used.add(one);
      return changed;
    }, theirs(mode));
}

/**
 * Cells whose balanced sockets meet something else than under another setting. They are known by their network namespace, however
 * pods are told (row 38); masqueradeAll leaves those of pods to the wire (row 37).
 */
export function movedSockets(
  cells: readonly Cell[],
  before: Answers,
  after: Answers,
  { masqueradeAll }: Setting,
): readonly string[] {
  const asked = cells.filter((cell) => after.get("ebpf, sockets")?.has(nameOf(cell)));
  return asked.flatMap((cell) => {
    const onWire = masqueradeAll === true && cell.from !== "n1";
    const expected = onWire ? metBy(after, "ebpf, packets", cell) : metBy(before, "ebpf, sockets", cell);
    const met = metBy(after, "ebpf, sockets", cell);
    return met.join() === expected.join() ? [] : [`${expected.join(" | ")} => ${met.join(" | ")}: ${nameOf(cell)}`];
  });
}
