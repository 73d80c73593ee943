// Node's jsonwebtoken over files of tokens: the key parsed once into a KeyObject (its fastest form;
// a PEM would be parsed for every token), one algorithm allowed, issuer and audience checked.
// Reads "file<TAB>algorithm<TAB>issuer<TAB>key file" lines, answers "file<TAB>nanoseconds<TAB>a/n".
import { createPublicKey, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import jwt from 'jsonwebtoken';

const roundMs = Number(process.argv[2] ?? 500);

for await (const line of createInterface({ input: process.stdin })) {
  const [file, algorithm, issuer, keyFile] = line.split('\t');
  const tokens = readFileSync(file, 'latin1').trim().split('\n');
  const bytes = readFileSync(keyFile);
  const key = algorithm === 'HS256' ? createSecretKey(bytes) : createPublicKey(bytes);
  const options = { algorithms: [algorithm], issuer, audience: 'gatehouse' };
  let accepted = 0;
  let done = 0;
  const judge = (token) => {
    try {
      const claims = jwt.verify(token, key, options);
      return Array.isArray(claims.roles) && claims.sub ? 1 : 0;
    } catch {
      return 0;
    }
  };
  for (const token of tokens) judge(token); // warm
  const start = process.cpuUsage();
  let took = 0;
  do {
    for (let k = 0; k < 16; k++, done++) accepted += judge(tokens[done % tokens.length]);
    const used = process.cpuUsage(start);
    took = (used.user + used.system) * 1000;
  } while (took < roundMs * 1e6);
  console.log(`${file}\t${(took / done).toFixed(1)}\t${accepted}/${done}`);
}
