// SPDX-License-Identifier: Apache-2.0
// Maglev lookup tables (Eisenbud et al., NSDI 2016, 3.4). A table depends only on the members' addresses, ports,
// protocols and weights, so every node and every restart computes the same choice. Changing it means a new ABI version.

/** Primes, each about twice the one before. */
const SIZES = [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521] as const;
const SLOTS_PER_MEMBER = 100;

export interface MaglevMember {
  /** Address (16 bytes), port (2, wire order), protocol (1). */
  readonly identity: Uint8Array;
  /** 1..65535 */
  readonly weight: number;
}

/** Slots of the table for this many members. */
export function maglevSize(members: number): number {
  return SIZES.find((size) => size >= SLOTS_PER_MEMBER * members) ?? 65521;
}

/** For each slot the position of a member in the list; empty without members. */
export function maglevTable(members: readonly MaglevMember[]): Uint16Array {
  const size = members.length === 0 ? 0 : maglevSize(members.length);
  const table = new Uint16Array(size);
  const order = fillOrder(members);
  const weights = order.map((position) => members[position]?.weight ?? 1);
  const maxWeight = weights.reduce((most, weight) => Math.max(most, weight), 1);
  const { next, skip } = permutations(members, order, size);
  /** A member takes a slot once round × weight reaches this. */
  const due = new Float64Array(order.length).fill(maxWeight);
  const taken = new Uint8Array(size);
  for (let filled = 0, round = 1; filled < size; round++) {
    for (let turn = 0; turn < order.length && filled < size; turn++) {
      if (round * (weights[turn] ?? 1) < (due[turn] ?? 0)) continue;
      due[turn] = (due[turn] ?? 0) + maxWeight;
      const slot = freeSlot(taken, next[turn] ?? 0, skip[turn] ?? 1);
      next[turn] = slot;
      taken[slot] = 1;
      table[slot] = order[turn] ?? 0;
      filled++;
    }
  }
  return table;
}

/** Positions by identity: the order of the set differs between nodes (local members first), the table must not. */
function fillOrder(members: readonly MaglevMember[]): readonly number[] {
  const sorted = members.map(({ identity }, position) => ({ identity, position }));
  sorted.sort((a, b) => Buffer.compare(a.identity, b.identity));
  return sorted.map(({ position }) => position);
}

/** First slot and step of each member's own permutation of the slots. */
function permutations(
  members: readonly MaglevMember[],
  order: readonly number[],
  size: number,
): { next: Uint32Array; skip: Uint32Array } {
  const next = new Uint32Array(order.length);
  const skip = new Uint32Array(order.length);
  for (const [turn, position] of order.entries()) {
    const identity = members[position]?.identity ?? new Uint8Array();
    next[turn] = murmur3(identity, 0x9747b28c) % size;
    skip[turn] = 1 + (murmur3(identity, 0x5bd1e995) % (size - 1));
  }
  return { next, skip };
}

function freeSlot(taken: Uint8Array, first: number, skip: number): number {
  let slot = first;
  while (taken[slot] === 1) {
    slot += skip;
    if (slot >= taken.length) slot -= taken.length;
  }
  return slot;
}

/** MurmurHash3 x86_32 (Appleby, public domain). */
export function murmur3(bytes: Uint8Array, seed: number): number {
  const blocks = bytes.length >> 2;
  let hash = seed;
  for (let i = 0; i < blocks; i++) {
    hash ^= scramble(littleEndian(bytes, i * 4, 4));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= scramble(littleEndian(bytes, blocks * 4, bytes.length & 3));
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

function littleEndian(bytes: Uint8Array, offset: number, length: number): number {
  let word = 0;
  for (let i = 0; i < length; i++) word |= (bytes[offset + i] ?? 0) << (8 * i);
  return word;
}
