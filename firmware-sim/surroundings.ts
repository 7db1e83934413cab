/**
 * What meters need of the machine they run on: an MQTT client and timers. Handed in as one, so that
 * a simulation can put the same meters on a network and a time of its own.
 */
import { connect, type IClientOptions, type MqttClient } from "mqtt";

export type { MqttClient };

export type Surroundings = {
  connect(url: string, options: IClientOptions): MqttClient;
  /** Calls `run` once, after real milliseconds. Returns the way to cancel it. */
  after(delayMs: number, run: () => void): () => void;
};

export const SURROUNDINGS: Surroundings = {
  connect,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after the delay, or at once when the signal aborts. */
export function pause(
  { after }: Surroundings,
  { delayMs, signal }: { readonly delayMs: number; readonly signal: AbortSignal },
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = after(delayMs, end);
    signal.addEventListener("abort", end);
  });
}
