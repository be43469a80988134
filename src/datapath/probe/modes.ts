// SPDX-License-Identifier: Apache-2.0
// Which modes this node could serve in, found by trying, never by version numbers of the kernel: distributions backport.

import { answer, MODES, type Mode, type ModeAnswer } from "./answer.ts";
import { type EbpfPlaces, probeEbpf } from "./ebpf.ts";
import { probeIptables, probeIpvs, probeNftables } from "./netfilter.ts";

/**
 * Asks one mode. Rejects with BpfObjectMissingError where the programs are not built, and AddonError; what the node lacks is in
 * the answer.
 */
export async function probeMode(mode: Mode, places: EbpfPlaces): Promise<ModeAnswer> {
  const probes: Readonly<Record<Mode, () => ModeAnswer | Promise<ModeAnswer>>> = {
    ebpf: () => probeEbpf(places),
    nftables: () => probeNftables(),
    ipvs: () => probeIpvs(),
    iptables: () => probeIptables(),
  };
  return await probes[mode]();
}

/**
 * The best first, up to the first that is usable, which is the last of the answers: those below it are not asked, for asking
 * makes the kernel load modules. None usable: all have answered. unable: those that looked usable and could not begin, and why.
 */
export async function probeModes(
  places: EbpfPlaces,
  unable: ReadonlyMap<Mode, string> = new Map(),
): Promise<readonly ModeAnswer[]> {
  const answers: ModeAnswer[] = [];
  for (const mode of MODES) {
    const tried = unable.get(mode);
    const given = tried === undefined ? await probeMode(mode, places) : answer(mode, [tried], "", {});
    answers.push(given);
    if (given.usable) break;
  }
  return answers;
}
