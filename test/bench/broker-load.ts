/**
 * Load for the broker's bench, in a process of its own: devices on bare sockets that keep a window
 * of readings in flight. Arguments: url, devices, readings of each, window. Prints milliseconds
 * from the first PUBLISH to the last PUBACK.
 */
import { connect, type Socket } from "node:net";
import { concatBytes } from "../../services/primitives/bytes.ts";
import { acknowledgement, connectPacket, PACKET, publishPacket } from "../support/mqtt-wire.ts";

const PAYLOAD_BYTES = 160; // a signed reading
const ACK_BYTES = acknowledgement(PACKET.puback, 1).length;

export function deviceName(index: number): string {
  return index.toString(16).padStart(32, "0");
}

type Load = { readonly url: URL; readonly readings: number; readonly window: number };

async function login(url: URL, name: string): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname);
  socket.setNoDelay(true);
  socket.write(connectPacket({ clientId: name, username: name, password: "bench" }));
  await new Promise<void>((resolve) => socket.once("data", () => resolve())); // CONNACK
  return socket;
}

/** Sends all readings of one device; each PUBACK makes room for the next. */
function drive(socket: Socket, name: string, { readings, window }: Load): Promise<void> {
  const topic = `gridlane/v1/bench/m/${name}/r`;
  const payload = new Uint8Array(PAYLOAD_BYTES);
  let sent = 0;
  let bytesAcknowledged = 0;
  return new Promise((resolve) => {
    const fill = (acknowledged: number) => {
      const packets = [];
      while (sent < readings && sent - acknowledged < window) {
        packets.push(publishPacket({ topic, payload, id: 1 + (sent % 65_535) }));
        sent++;
      }
      if (packets.length > 0) socket.write(concatBytes(packets));
    };
    socket.on("data", (chunk) => {
      bytesAcknowledged += chunk.length;
      const acknowledged = Math.floor(bytesAcknowledged / ACK_BYTES);
      fill(acknowledged);
      if (acknowledged === readings) resolve();
    });
    fill(0);
  });
}

async function main([url, devices, readings, window]: readonly string[]): Promise<void> {
  const load = { url: new URL(url!), readings: Number(readings), window: Number(window) };
  const names = Array.from({ length: Number(devices) }, (_, i) => deviceName(i));
  const sockets = await Promise.all(names.map((name) => login(load.url, name)));
  const startMs = performance.now();
  await Promise.all(sockets.map((socket, i) => drive(socket, names[i]!, load)));
  process.stdout.write(String(performance.now() - startMs));
  for (const socket of sockets) socket.destroy();
}

if (process.argv[1]?.endsWith("broker-load.ts") === true) await main(process.argv.slice(2));
