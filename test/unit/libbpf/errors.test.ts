// SPDX-License-Identifier: Apache-2.0
// What native failures look like to people.

import { describe, expect, test } from "vitest";
import { BpfError, errorFromNative, VerifierError, verifierSummary } from "../../../src/libbpf/errors.ts";

describe("BpfError", () => {
  test("names the call, the thing, the errno and the hint", () => {
    const error = errorFromNative("bpf(BPF_MAP_UPDATE_ELEM)", -7, "frontends", "the map is full", undefined);
    expect(error.message).toBe("bpf(BPF_MAP_UPDATE_ELEM) frontends: E2BIG: the map is full");
    expect(error).toMatchObject({ name: "BpfError", code: "E2BIG", errno: -7, object: "frontends" });
  });

  test.each([
    [-524, "ENOTSUPP"],
    [-4001, "LIBBPF_FORMAT"],
    [-1, "EPERM"],
  ])("errno %i is called %s", (errno, code) => {
    expect(errorFromNative("x", errno, undefined, undefined, undefined).message).toBe(`x: ${code}`);
  });

  test("without a hint takes the first thing libbpf said", () => {
    const log =
      "libbpf: map 'm': couldn't reuse pinned map at '/p': parameter mismatch\nlibbpf: failed to load object 'o'\n";
    expect(errorFromNative("bpf_object__load", -22, "o.o", undefined, log).message).toBe(
      "bpf_object__load o.o: EINVAL: map 'm': couldn't reuse pinned map at '/p': parameter mismatch",
    );
  });
});

describe("VerifierError", () => {
  const log = [
    "libbpf: prog 'ingress': BPF program load failed: Permission denied",
    "libbpf: prog 'ingress': -- BEGIN PROG LOAD LOG --",
    "0: (61) r1 = *(u32 *)(r1 +76)",
    "R1 offset is outside of the packet",
    "processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
    "-- END PROG LOAD LOG --",
    "",
  ].join("\n");

  test("takes the program and its log out of what libbpf said", () => {
    const error = errorFromNative("bpf_object__load", -13, "tc.bpf.o", undefined, log);
    expect(error).toBeInstanceOf(VerifierError);
    expect(error).toBeInstanceOf(BpfError);
    expect(error.message).toBe(
      "bpf(BPF_PROG_LOAD) ingress: EACCES: R1 offset is outside of the packet (2 lines omitted)",
    );
    expect((error as VerifierError).log).toHaveLength(3);
  });

  test("an empty log says so", () => {
    expect(verifierSummary([])).toBe("the verifier gave no reason");
  });
});
