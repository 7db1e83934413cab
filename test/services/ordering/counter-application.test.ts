/** Method: the suite of every application, on the second one that ordering is tested with. */
import { unixSeconds } from "../../../services/primitives/units.ts";
import { applicationSuite } from "../../conformance/application-suite.ts";
import {
  addTransaction,
  createCounterApplication,
  FAILING_AMOUNT,
} from "../../support/counter-application.ts";

const blocks = () =>
  [1, 2, 3, 4, 5, 6].map((height) => ({
    height,
    timeS: unixSeconds(1000 + height),
    transactions: [
      addTransaction("a", height),
      addTransaction(`b-${height}`, 1),
      addTransaction("c", FAILING_AMOUNT),
      Uint8Array.of(0xff, height),
    ],
  }));

applicationSuite("the counters", () => ({
  create: (stored) => createCounterApplication({ stored }),
  blocks: blocks(),
}));

applicationSuite("a counter that leaves work over", () => ({
  create: (stored) => createCounterApplication({ stored, countsDown: "a" }),
  blocks: blocks(),
}));
