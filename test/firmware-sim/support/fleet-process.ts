/** A fleet in a process of its own, to be killed. Argument: JSON of {url, directory, slots}. */
import { startFleet } from "../../../firmware-sim/fleet.ts";
import { arithmeticSource, NETWORK_ID, testDevices } from "./fleet.ts";
import { ORACLE_PUBLIC } from "./oracle.ts";

const { url, directory, slots } = JSON.parse(process.argv[2]!) as {
  url: string;
  directory: string;
  slots: number;
};
const fleet = await startFleet({
  devices: testDevices(),
  source: arithmeticSource({ slots }),
  networkId: NETWORK_ID,
  brokerUrl: url,
  directory,
  oracleReceiptPublicKey: ORACLE_PUBLIC,
  pace: { kind: "as-fast-as-possible" },
  timing: { backoffMinMs: 5, backoffMaxMs: 50, receiptTimeoutMs: 100 },
});
await fleet.done;
