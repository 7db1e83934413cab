/** The member's own order in a slot, and in plain words why it did or did not trade. */
import type { SlotDetail } from "../../../services/wire/api.ts";
import { t } from "../messages.ts";
import * as locale from "../state/locale.ts";

type Own = NonNullable<SlotDetail["own"]>;

export function OwnOrder({ detail, own }: { detail: SlotDetail; own: Own }) {
  const idle = own.why === "nothing" || own.why === "missing";
  const order = orderOf(detail, own);
  return (
    <article class="card own" data-testid="own-order">
      <h2>
        <span class="own-mark" aria-hidden="true" />
        {t("slot.own")}
      </h2>
      {!idle && order.sellWh > 0 && (
        <p>
          {t("slot.ownSells", {
            energy: locale.energy(order.sellWh),
            limit: locale.price(own.minSellUcPerWh),
          })}
        </p>
      )}
      {!idle && order.buyWh > 0 && (
        <p>
          {t("slot.ownBuys", {
            energy: locale.energy(order.buyWh),
            limit: locale.price(own.maxBuyUcPerWh),
          })}
        </p>
      )}
      <p>{why(detail, own)}</p>
      {!idle && (
        <p class="own-amount">
          {t("slot.ownAmount", { amount: locale.signedMoney(BigInt(own.amountUc)) })}
        </p>
      )}
    </article>
  );
}

/** In the auction a member's own import and export meet first; the mid-market rate takes both. */
function orderOf(detail: SlotDetail, own: Own): { sellWh: number; buyWh: number } {
  const withinWh = detail.mechanism === "uniform-price" ? Math.min(own.importWh, own.exportWh) : 0;
  return { sellWh: own.exportWh - withinWh, buyWh: own.importWh - withinWh };
}

function why(detail: SlotDetail, own: Own): string {
  if (own.why !== "limit") return t(`slot.why.${own.why}`);
  if (detail.priceUcPerWh === null) return t("slot.why.limitNone");
  const price = locale.price(detail.priceUcPerWh);
  return own.exportWh > own.importWh
    ? t("slot.why.limitSell", { limit: locale.price(own.minSellUcPerWh), price })
    : t("slot.why.limitBuy", { limit: locale.price(own.maxBuyUcPerWh), price });
}
