/**
 * Puts the frame guard between a socket and aedes, by the one way that costs no second stream:
 * aedes pulls bytes with `read()` when all packets of the last pull are handled. Without it one
 * write of 500 packets would start 500 durable writes, since aedes bounds only QoS 2, and a packet
 * would be collected up to 256 MB before anybody looks at it.
 */
import type { Socket } from "node:net";
import { MQTT_PACKET_BYTES_MAX } from "../primitives/limits.ts";
import { FrameGuard } from "./frame-guard.ts";

export function guardSocket(
  socket: Socket,
  {
    room,
    onOversized,
  }: {
    readonly room: () => number; // packets that may be handed on now
    readonly onOversized: () => void;
  },
): void {
  const readSocket = socket.read.bind(socket);
  const guard = new FrameGuard({
    source: { read: () => readSocket() as Buffer | null },
    bytesMax: MQTT_PACKET_BYTES_MAX,
  });
  socket.read = (size?: number) => {
    if (size === 0) return readSocket(0); // the stream's own way to poll
    const frames = guard.take(room());
    if (frames.kind === "bytes") {
      const { buffer, byteOffset, length } = frames.bytes;
      return Buffer.from(buffer, byteOffset, length);
    }
    if (frames.kind !== "wait") {
      if (frames.kind === "oversized") onOversized();
      socket.destroy();
    }
    return null;
  };
}
