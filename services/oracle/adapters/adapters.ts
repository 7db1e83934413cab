/** The table of adapters: how each format is framed on a stream, and how a frame is read. */
import { readAiida } from "./aiida.ts";
import { readDlms } from "./dlms.ts";
import { readDsmr, scanDsmr } from "./dsmr.ts";
import { type Scanner, scanJsonLine } from "./framing.ts";
import { scanDlms } from "./hdlc.ts";
import { readHomeAssistant } from "./home-assistant.ts";
import { readOpenems } from "./openems.ts";
import { readShelly } from "./shelly.ts";
import { readSml, scanSml } from "./sml.ts";
import { readTasmota } from "./tasmota.ts";
import type { AdapterSettings, MeterTelegram, TelegramFormat } from "./telegram.ts";

export type Adapter = {
  readonly scan: Scanner; // of a stream; a message broker hands over whole frames
  /** Oldest first. @throws GridError telegram_refused */
  readonly read: (frame: Uint8Array, settings: AdapterSettings) => readonly MeterTelegram[];
};

/** OCMF has no adapter here: its records come from files and need a key (`ocmf.ts`). */
export type StreamFormat = Exclude<TelegramFormat, "ocmf">;

export const ADAPTERS: Readonly<Record<StreamFormat, Adapter>> = {
  dsmr: { scan: scanDsmr, read: (frame, settings) => [readDsmr(frame, settings)] },
  sml: { scan: scanSml, read: (frame) => [readSml(frame)] },
  dlms: { scan: scanDlms, read: (frame, settings) => [readDlms(frame, settings)] },
  tasmota: { scan: scanJsonLine, read: (frame, settings) => [readTasmota(frame, settings)] },
  shelly: { scan: scanJsonLine, read: (frame, settings) => [readShelly(frame, settings)] },
  aiida: { scan: scanJsonLine, read: (frame) => [readAiida(frame)] },
  "home-assistant": {
    scan: scanJsonLine,
    read: (frame, settings) => [readHomeAssistant(frame, settings)],
  },
  openems: { scan: scanJsonLine, read: readOpenems },
};

export const STREAM_FORMATS = Object.keys(ADAPTERS) as readonly StreamFormat[];
