// Node's JSON.parse + JSON.stringify over the texts json_bench wrote: from bytes to bytes, as a
// server has them. Prints "file<TAB>nanoseconds per message", the best of several rounds.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const rounds = Number(process.argv[3] ?? 5);
const roundMs = Number(process.argv[4] ?? 200);

for (const name of readdirSync(folder).sort()) {
  const bytes = readFileSync(join(folder, name));
  let best = Infinity;
  let kept = 0;
  for (let round = 0; round <= rounds; round++) {
    let n = 0;
    const start = process.hrtime.bigint();
    const end = start + BigInt(roundMs) * 1000000n;
    let now = start;
    do {
      for (let i = 0; i < Math.max(1, 20000 / bytes.length); i++, n++)
        kept ^= Buffer.from(JSON.stringify(JSON.parse(bytes.toString('utf8')))).length;
      now = process.hrtime.bigint();
    } while (now < end);
    if (round > 0) best = Math.min(best, Number(now - start) / n);
  }
  console.log(`${name}\t${best.toFixed(1)}`);
  if (kept === -1) process.exit(1);
}
