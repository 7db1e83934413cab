/**
 * Method: the published cases that are no price oracle for this market, each with its reason in a
 * table, and what can still be held against them. The table is complete: a case of the files whose
 * price is asserted nowhere and that is not in it fails the first test.
 */
import { describe, expect, test } from "vitest";
import { clearRegion } from "../../../services/market/clearing.ts";
import { couple } from "../../../services/market/coupling.ts";
import { buildCurve, marginAt } from "../../../services/market/curve.ts";
import { midMarketRate } from "../../../services/market/mechanisms/mid-market-rate.ts";
import { type OrderRow, orderColumns } from "../../../services/market/orders.ts";
import { checkWitness } from "../../../services/market/witness.ts";
import {
  marketDataAbsent,
  readMarketData,
  scaled,
  type VectorOrder,
  vectorBook,
} from "./shared-data.ts";

const mixed = "INESC's crossing value mixes two rules: a bid above its price stays out";
const sweep = "gsy's sweep over bid rates stops before the greatest volume (flagged REJECT)";
const marginal = "truthful by leaving the marginal pair out: other prices, less volume";
/** By file and case: why its price, or the whole case, is no oracle here. */
const NO_PRICE_ORACLE: Readonly<Record<string, string>> = {
  "uniform/simply-energy-c": "the highest matched ask, below the first rejected bid",
  "uniform/assume-pac-2": "the highest accepted ask, where curtailed demand bids 3000",
  "uniform/rec-Example02": mixed,
  "uniform/rec-Example02a": mixed,
  "uniform/rec-Example02b": mixed,
  "uniform/gsy-pac-market1-REJECT": sweep,
  "uniform/gsy-pac-market2-REJECT": sweep,
  "truthful/huang-dataset0": marginal,
  "truthful/huang-dataset3": marginal,
  "truthful/huang-doc-none": marginal,
  "truthful/huang-doc-small": marginal,
  "truthful/huang-test-market": marginal,
  "truthful/muda-exogenous-50": "price from outside and fees by a random split; its volume holds",
  "truthful/long-side-reduction":
    "takes the same from large and small orders, so splitting one pays; ours is pro rata",
  "local/internal_pricing.mmr": "(least bid + greatest ask) / 2 of limits, not of retailer prices",
  "local/delivery_reconciliation":
    "first in, first out over trades; here a slot has one position, and the metered auction" +
    " settles what is left of it",
};

const read = (name: string) => JSON.parse(readMarketData(`vectors/${name}.json`));
type Case = { id: string; orders: VectorOrder[]; price_in_standard_interval?: boolean | null };

describe.skipIf(marketDataAbsent)("cases by another rule", () => {
  test("the table names exactly the cases whose price is asserted nowhere", () => {
    const uniform: Case[] = read("uniform_price_cases").cases;
    const truthful: Case[] = read("truthful_double_auctions").cases;
    // Asserted: sdr and scm with their mechanisms, the fee chain and the budget balance below.
    const asserted = ["source", "internal_pricing.sdr", "scm", "gsy_grid_fee_chain"];
    const local = Object.keys(read("local_pricing_and_sharing")).flatMap((name) =>
      name === "internal_pricing" ? [`${name}.mmr`, `${name}.sdr`] : [name],
    );
    const named = [
      ...uniform.filter((each) => each.price_in_standard_interval === false).map(inFile("uniform")),
      ...truthful.map(inFile("truthful")),
      ...local
        .filter((id) => ![...asserted, "mmr_budget_balance"].includes(id))
        .map((id) => `local/${id}`),
    ];
    expect(Object.keys(NO_PRICE_ORACLE).sort()).toEqual(named.sort());
  });

  test("MUDA at its price of 50: four units trade on either side", () => {
    const muda = read("truthful_double_auctions").cases.find(
      (each: Case) => each.id === "muda-exogenous-50",
    );
    const margin = marginAt(buildCurve(vectorBook(muda.orders, { price: 1, qty: 1 })), 50);
    const { buyers_traded, sellers_traded, price } = muda.expected;
    expect([price, buyers_traded, sellers_traded]).toEqual([50, 4, 4]);
    expect(Math.min(margin.bidAboveWh + margin.bidAtWh, margin.askBelowWh + margin.askAtWh)).toBe(
      4,
    );
  });

  test("long-side reduction: ours gives each order the same share, however it is split", () => {
    const { quantities, gap, expected } = read("truthful_double_auctions").cases.find(
      (each: Case) => each.id === "long-side-reduction",
    ).cases[0];
    const served = (sizes: number[]) => {
      const asks = sizes.map((size, tieIndex): OrderRow => {
        return { side: 1, limitUcPerWh: 5, energyWh: scaled(size, 1000), tieIndex };
      });
      const needWh = scaled(6 - gap, 1000);
      const bid: OrderRow = { side: 0, limitUcPerWh: 9, energyWh: needWh, tieIndex: asks.length };
      return [...clearRegion({ orders: orderColumns([...asks, bid]) }).fillWh].slice(0, -1);
    };
    expect(expected).toEqual([0.8, 1.8, 2.8]);
    expect(served(quantities)).toEqual([900, 1800, 2700]);
    expect(served([1, 2, 1.5, 1.5])).toEqual([900, 1800, 1350, 1350]);
  });

  test("INESC Example02: the only equilibrium is 25", () => {
    const uniform: (Case & { expected: { price: number } })[] = read("uniform_price_cases").cases;
    const example = uniform.find((each) => each.id === "rec-Example02")!;
    const cleared = clearRegion({ orders: vectorBook(example.orders, { price: 1, qty: 1 }) });
    expect([cleared.priceLowUcPerWh, cleared.priceHighUcPerWh]).toEqual([25, 25]);
    expect(example.expected.price).toBe(20);
  });

  test("the fee chain: its one-sided price is our least, its two-sided prices our greatest", () => {
    const { numbers } = read("local_pricing_and_sharing").gsy_grid_fee_chain;
    const { pv_offer, load_bid, fees, one_sided_trade_price, two_sided_pab: pab } = numbers;
    const cents = (price: number) => scaled(price, 100);
    const one = (side: 0 | 1, limitUcPerWh: number) =>
      orderColumns([{ side, limitUcPerWh, energyWh: 1, tieIndex: 0 }]);
    const none = orderColumns([]);
    // PV, its market, the grid, the load's market: a fee on each way up and down.
    const regions = [one(1, cents(pv_offer)), none, none, one(0, cents(load_bid))];
    const lines = [fees.N2, fees.grid, fees.N1].map((fee: number, at) => {
      return { id: `f${at}`, from: at, to: at + 1, capacityWh: 9, feeUcPerWh: cents(fee) };
    });
    const coupling = couple({ regions, lines });
    expect(checkWitness({ regions, lines, coupling })).toBeNull();
    const { priceLowUcPerWh: low, priceHighUcPerWh: high, feesUc } = coupling;
    expect([low[0], low[3]]).toEqual([cents(pv_offer), cents(one_sided_trade_price)]);
    const { N2, grid, N1 } = pab.trade_rate_by_market;
    expect([...high]).toEqual([pab.seller_revenue, N2, grid, N1].map(cents));
    expect(feesUc.reduce((sum, fee) => sum + fee, 0n)).toBe(BigInt(cents(pab.total_fee)));
  });

  test("first in, first out gives away the same energy: the rest is one unit short", () => {
    const [only] = read("local_pricing_and_sharing").delivery_reconciliation.cases;
    const sold = only.trades.reduce((sum: number, trade: { qty: number }) => sum + trade.qty, 0);
    const given = Object.values<number>(only.expected).reduce((sum, qty) => sum + qty, 0);
    expect([sold, given, sold - only.metered_injected]).toEqual([9, only.metered_injected, 1]);
  });

  test("budget balance by residual totals, as the file has it", () => {
    const { case: given, residual_totals } = read("local_pricing_and_sharing").mmr_budget_balance;
    const homes: { load: number; pv: number }[] = given.homes;
    const shared = midMarketRate({
      importWh: Float64Array.from(homes, ({ load, pv }) => Math.max(0, load - pv)),
      exportWh: Float64Array.from(homes, ({ load, pv }) => Math.max(0, pv - load)),
      retailUcPerWh: scaled(given.lambda_buy, 100),
      feedInUcPerWh: scaled(given.lambda_sell, 100),
    });
    const uc = (money: number) => BigInt(scaled(money, 100));
    const { buyers_pay, sellers_get, grid_pays } = residual_totals;
    expect([...shared.amountUc]).toEqual([uc(sellers_get), -uc(buyers_pay)]);
    expect(shared.retailerUc).toBe(-uc(grid_pays));
  });
});

function inFile(file: string): (each: Case) => string {
  return (each) => `${file}/${each.id}`;
}
