// A thread of the auditor. Runs the TypeScript sources as they are: there is no build step.
import { register } from "tsx/esm/api";

register();
await import("./audit-worker.ts");
