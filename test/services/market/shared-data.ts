/** Test data of others, read in place; tests that need it skip visibly where it is absent. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  ASK,
  BID,
  type OrderColumns,
  type OrderRow,
  orderColumns,
} from "../../../services/market/orders.ts";

const FOLDER = fileURLToPath(new URL("../../../../shared/data/market/", import.meta.url));
export const marketDataAbsent = !existsSync(FOLDER);

export function readMarketData(name: string): string {
  return marketDataAbsent ? "" : readFileSync(`${FOLDER}${name}`, "utf8");
}

/** A decimal of the files as an integer; the file must hold no more digits than that. */
export function scaled(decimal: number, factor: number): number {
  const integer = Math.round(decimal * factor);
  if (Math.abs(integer - decimal * factor) > 1e-3) throw new Error(`${decimal} x ${factor}`);
  return integer;
}

export type VectorOrder = { side: "buy" | "sell"; price: number; qty: number; zone?: string };

export function vectorBook(
  orders: readonly VectorOrder[],
  scale: { price: number; qty: number },
): OrderColumns {
  return orderColumns(
    orders.map((order, tieIndex): OrderRow => {
      const side = order.side === "buy" ? BID : ASK;
      const limitUcPerWh = scaled(order.price, scale.price);
      return { side, limitUcPerWh, energyWh: scaled(order.qty, scale.qty), tieIndex };
    }),
  );
}
