/** Method: as in `simulation.test.ts`, seeds 101 to 200, for another worker. */
import { testSeeds } from "./seed-suite.ts";

testSeeds({ from: 101, to: 200 });
