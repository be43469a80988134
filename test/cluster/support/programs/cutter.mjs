// SPDX-License-Identifier: Apache-2.0
// node cutter.mjs ADDRESS PORT TO_ADDRESS TO_PORT: hands TCP connections on, byte by byte as they are, until told otherwise.
// Says "ready", then after each line of stdin what it did:
//   "cut"    at the next answer of each connection: passes half of it on, then resets both ends; says "cut" at the first
//   "refuse" resets every connection and each new one; says "refused"
//   "accept" ends that; says "accepted"
//   "count"  says how many connections have come so far: "12 connections"
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

const [address, port, toAddress, toPort] = process.argv.slice(2);
const pairs = new Set();
let refusing = false;
let come = 0;
let cutting = new Set();

const say = (text) => process.stdout.write(`${text}\n`);

function reset({ near, far }) {
  near.resetAndDestroy();
  far.resetAndDestroy();
}

function cut(pair, data) {
  pair.near.write(data.subarray(0, data.length >> 1), () => reset(pair));
  pair.far.pause();
  cutting.delete(pair);
  say("cut");
}

createServer({ noDelay: true }, (near) => {
  come++;
  if (refusing) return near.resetAndDestroy();
  const far = connect({ host: toAddress, port: Number(toPort), noDelay: true });
  const pair = { near, far };
  pairs.add(pair);
  near.pipe(far);
  far.on("data", (data) => {
    if (cutting.has(pair)) return cut(pair, data);
    if (near.write(data)) return;
    far.pause();
    near.once("drain", () => far.resume());
  });
  far.on("end", () => near.end());
  for (const end of [near, far]) {
    end.on("error", () => reset(pair));
    end.on("close", () => {
      pairs.delete(pair);
      cutting.delete(pair);
    });
  }
}).listen(Number(port), address, () => say("ready"));

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "cut") cutting = new Set(pairs);
  if (line === "accept") refusing = false;
  if (line === "refuse") {
    refusing = true;
    for (const pair of pairs) reset(pair);
  }
  if (line === "count") say(`${come} connections`);
  else if (line !== "cut") say(line === "accept" ? "accepted" : "refused");
});
