/** A meter with a P1 port, as a TCP server that pushes telegrams to whoever is connected. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { crc16Arc } from "../../services/oracle/adapters/crc16.ts";
import { concatBytes, utf8 } from "../../services/primitives/bytes.ts";

/** A P1 telegram of this moment, with checksum. */
export function telegram(atS: number, importWh: number, exportWh = 0): Uint8Array {
  const local = new Date((atS + 3600) * 1000).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  const kwh = (wh: number) => (wh / 1000).toFixed(3).padStart(10, "0");
  const lines = [
    ...["/GRD5\\2TEST", "", "1-3:0.2.8(50)", `0-0:1.0.0(${local}W)`, "0-0:96.1.1(4D31)"],
    ...[`1-0:1.8.0(${kwh(importWh)}*kWh)`, `1-0:2.8.0(${kwh(exportWh)}*kWh)`, "!"],
  ];
  const body = utf8(lines.join("\r\n"));
  const crc = crc16Arc(body).toString(16).toUpperCase().padStart(4, "0");
  return concatBytes([body, utf8(`${crc}\r\n`)]);
}

export class P1Server {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #waiting: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  static async start(): Promise<P1Server> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new P1Server(server);
  }

  get place() {
    const { port } = this.#server.address() as { port: number };
    return { kind: "tcp", host: "127.0.0.1", port } as const;
  }

  async connected(): Promise<void> {
    if (this.#sockets.size === 0) await new Promise<void>((wake) => this.#waiting.push(wake));
  }

  send(bytes: Uint8Array): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async stop(): Promise<void> {
    this.hangUp();
    await new Promise((done) => this.#server.close(done));
  }
}
