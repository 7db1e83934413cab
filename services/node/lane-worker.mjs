// A lane worker's thread: runs the TypeScript sources as they are, as bin/gridlane.mjs does.
import { workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
const { serveLanes } = await import("./lane-worker.ts");
serveLanes(workerData);
