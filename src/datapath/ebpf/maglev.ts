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
  if (members.length === 0) return new Uint16Array(0);
  const size = maglevSize(members.length);
  const maxWeight = members.reduce((most, member) => Math.max(most, member.weight), 1);
  const turns = members.map((member, position) => turnOf(member, position, size, maxWeight)).sort(byIdentity);
  const table = new Uint16Array(size);
  const taken = new Uint8Array(size);
  let filled = 0;
  for (let round = 1; filled < size; round++) {
    for (const turn of turns) {
      if (round * turn.weight < turn.due) continue;
      turn.due += maxWeight;
      while (taken[turn.slot] === 1) turn.slot = (turn.slot + turn.skip) % size;
      taken[turn.slot] = 1;
      table[turn.slot] = turn.position;
      if (++filled === size) break;
    }
  }
  return table;
}

/** Where a member stands in its own permutation of the slots. */
interface Turn {
  readonly identity: Uint8Array;
  readonly position: number;
  readonly weight: number;
  readonly skip: number;
  slot: number;
  /** The member takes a slot once round × weight reaches this. */
  due: number;
}

function turnOf(member: MaglevMember, position: number, size: number, maxWeight: number): Turn {
  const slot = murmur3(member.identity, 0x9747b28c) % size;
  const skip = 1 + (murmur3(member.identity, 0x5bd1e995) % (size - 1));
  return { identity: member.identity, position, weight: member.weight, skip, slot, due: maxWeight };
}

/** Fill order must not depend on the order of the set, which differs between nodes (local members first). */
function byIdentity(a: Turn, b: Turn): number {
  return Buffer.compare(a.identity, b.identity);
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
