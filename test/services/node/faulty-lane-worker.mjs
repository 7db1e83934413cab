// A lane worker that is slow at random, and dies or stands still where the test says so.
import { getEnvironmentData, workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
const { serveLanes } = await import("../../../services/node/lane-worker.ts");
const { createPrng } = await import("../../../services/primitives/prng.ts");

const { number } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
let jobs = 0;
serveLanes({
  ...workerData,
  beforeJob() {
    jobs += 1;
    const { seed, dies, stands, job } = getEnvironmentData("lane faults");
    if (number === dies && jobs === job) process.exit();
    if (number === stands && jobs === job) Atomics.wait(never, 0, 0);
    const prng = createPrng(`${seed}/${number}/${jobs}`);
    if (prng.below(3) === 0) Atomics.wait(never, 0, 0, prng.below(4));
  },
});
