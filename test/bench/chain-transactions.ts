/**
 * A block of 10,000 member transactions, beside recovering the signer of each natively: what the
 * rest of admission, its effects and the roots come to. On one thread and on two.
 */
import { createApplication } from "../../services/chain/application.ts";
import { type LaneExecutor, sequentialExecutor } from "../../services/chain/lane-executor.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { recover } from "../../services/crypto/native/secp256k1.ts";
import { signSecp256k1 } from "../../services/crypto/secp256k1.ts";
import { createLaneWorkers } from "../../services/node/lane-workers.ts";
import { utf8 } from "../../services/primitives/bytes.ts";
import { encodePlaceOrder } from "../../services/wire/forward-order.ts";
import { createMarketFixture, type MarketFixture } from "../support/market-fixture.ts";
import { least, measure, round } from "./measure.ts";

const REGIONS = 10;
const MEMBERS_PER_REGION = 500;
const ROUNDS = 3; // the first one warms up

export async function benchTransactions(): Promise<object> {
  const fixture = createMarketFixture({
    regions: Array.from({ length: REGIONS }, (_, r) => ({
      id: `r${r}`,
      limits: Array.from({ length: MEMBERS_PER_REGION }, () => undefined),
    })),
  });
  const transactions = sign(fixture);
  const signatures = transactions.map((_, i) => {
    const digest = sha256(utf8(`transaction ${i}`));
    return { digest, ...signSecp256k1({ digest, secretKey: fixture.memberSecrets[0]![0]! }) };
  });
  const floor = least(
    Array.from({ length: ROUNDS }, () => {
      return measure(() => {
        for (const signature of signatures) {
          if (recover(signature) === null) throw new Error("not recovered");
        }
      }).cost;
    }),
  );
  const workers = createLaneWorkers({ workers: 1 });
  await workers.ready();
  const one = run(fixture, transactions, sequentialExecutor);
  const two = run(fixture, transactions, workers);
  await workers.stop();
  return {
    transactions: transactions.length,
    floorCpuMs: round(floor.cpuMs),
    ...{ blockMs: round(one.clockMs), blockCpuMs: round(one.cpuMs) },
    ratio: round(one.cpuMs / floor.cpuMs),
    ...{ twoThreadsMs: round(two.clockMs), twoThreadsCpuMs: round(two.cpuMs) },
    speedUpOfTwoThreads: round(one.clockMs / two.clockMs),
  };
}

/** One change of limits and one forward order of each member. */
function sign(fixture: MarketFixture): Uint8Array[] {
  const limits = { minSellUcPerWh: 9_000, maxBuyUcPerWh: 25_000 };
  const slot = fixture.slotAtIndex(8);
  return fixture.memberSecrets.flatMap((members, regionIndex) =>
    members.flatMap((_, memberIndex) => {
      const side = memberIndex % 2;
      const order = { slot, side, limitUcPerWh: 10_000 + memberIndex, energyWh: 500 };
      const place = { regionIndex, memberIndex };
      return [
        fixture.limitsTransaction({ ...place, nonce: 0, limits }),
        fixture.callTransaction({ ...place, nonce: 1, data: encodePlaceOrder(order) }),
      ];
    }),
  );
}

function run(fixture: MarketFixture, transactions: readonly Uint8Array[], executor: LaneExecutor) {
  const block = { height: 1, timeS: fixture.slotEndS(0), transactions };
  const costs = Array.from({ length: ROUNDS }, () => {
    const { genesis } = fixture;
    const application = createApplication({ genesis, stored: new Map(), executor });
    application.initChain();
    const { value, cost } = measure(() => application.finalizeBlock(block));
    const refused = value.results.find(({ code }) => code !== 0);
    if (refused !== undefined) throw new Error(`refused: ${refused.info}`);
    application.commit();
    return cost;
  });
  return least(costs.slice(1));
}
