/**
 * `npm run bench -- <name>`: one bench by its name, as one JSON object on stdout. Every figure is a
 * ratio to a floor that the same run measured; none is compared with another machine's.
 */
import { cpus } from "node:os";
import { benchAudit } from "./audit.ts";
import { benchBroker } from "./broker.ts";
import { benchChain } from "./chain.ts";
import { benchMarket } from "./market.ts";
import { benchOracle } from "./oracle.ts";
import { benchRestart } from "./restart.ts";

const BENCHES: ReadonlyMap<string, () => Promise<object>> = new Map([
  ["market", benchMarket],
  ["chain", benchChain],
  ["broker", benchBroker],
  ["oracle", benchOracle],
  ["audit", benchAudit],
  ["restart", () => benchRestart()],
]);

const name = process.argv[2];
const bench = name === undefined ? undefined : BENCHES.get(name);
if (bench === undefined || process.argv.length > 3) {
  const names = [...BENCHES.keys()].join(" | ");
  process.stderr.write(`bench: name one of them: npm run bench -- ${names}\n`);
  process.exitCode = 2;
} else {
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    node: process.version,
  };
  const result = { bench: name, ...machine, ...(await bench()) };
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}
