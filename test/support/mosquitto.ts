/**
 * Debian's mosquitto as an external broker for tests: own directory, own port, the access rules
 * that gridlane asks of any broker. `mosquittoPath` is null where it is not installed.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CANDIDATES = [
  "/usr/sbin/mosquitto",
  "/usr/local/sbin/mosquitto",
  "/opt/homebrew/sbin/mosquitto",
];

export const mosquittoPath: string | null = CANDIDATES.find((path) => existsSync(path)) ?? null;

/** One line per leaf, never `/#`: `%u` is the user name, which is the device's id. */
const ACCESS_RULES = `
user oracle
topic read gridlane/v1/+/m/+/r
topic read gridlane/v1/+/m/+/b
topic write gridlane/v1/+/m/+/ack
topic write gridlane/v1/+/pub/#

pattern write gridlane/v1/+/m/%u/r
pattern write gridlane/v1/+/m/%u/b
pattern write gridlane/v1/+/m/%u/state
pattern read gridlane/v1/+/m/%u/ack
`;

export type Mosquitto = {
  readonly url: string;
  readonly port: number;
  /** Ends the process; the next `start` keeps directory, port and sessions. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends the process and removes its directory. */
  remove(): Promise<void>;
};

/** @param users - passwords by user name */
export async function startMosquitto(users: Readonly<Record<string, string>>): Promise<Mosquitto> {
  const directory = mkdtempSync(join(tmpdir(), "gridlane-mosquitto-"));
  chmodSync(directory, 0o777); // mosquitto drops its privileges where it has any
  const port = await freePort();
  const passwords = join(directory, "passwords");
  writeFileSync(passwords, "");
  for (const [name, password] of Object.entries(users)) {
    execFileSync("mosquitto_passwd", ["-b", passwords, name, password], { stdio: "ignore" });
  }
  writeFileSync(join(directory, "rules"), ACCESS_RULES);
  const config = join(directory, "mosquitto.conf");
  writeFileSync(
    config,
    [
      `listener ${port} 127.0.0.1`,
      "allow_anonymous false",
      `password_file ${passwords}`,
      `acl_file ${join(directory, "rules")}`,
      "max_queued_messages 10000",
      "persistence true",
      `persistence_location ${directory}/`,
      "log_dest none",
    ].join("\n"),
  );
  for (const file of [passwords, join(directory, "rules"), config]) chmodSync(file, 0o644);
  let child: ChildProcess | null = null;
  const mosquitto: Omit<Mosquitto, "remove"> = {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    start: async () => {
      child = spawn(mosquittoPath!, ["-c", config], { stdio: "ignore" });
      await untilListening(port, child);
    },
    kill: async () => {
      if (child === null || child.exitCode !== null) return;
      const gone = new Promise((resolve) => child!.once("exit", resolve));
      child.kill("SIGTERM"); // it writes its sessions down
      await gone;
      child = null;
    },
  };
  await mosquitto.start();
  return {
    ...mosquitto,
    remove: async () => {
      await mosquitto.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

/** Tries to connect until it works; the process has at most five seconds. */
async function untilListening(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + 5000;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended with code ${child.exitCode}`);
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => socket.destroy() && resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("mosquitto does not listen");
}
