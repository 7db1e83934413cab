/** The last price on the ruler between feed-in and retail, with the member's own two limits. */
import type { Me, SlotSummary } from "../../../services/wire/api.ts";
import { t } from "../messages.ts";
import type { Tariff } from "../model/split.ts";
import * as locale from "../state/locale.ts";

export function PriceScale(props: {
  tariff: Tariff;
  last: SlotSummary;
  limits: Me["limits"] | null;
}) {
  const { tariff, last } = props;
  const { feedInUcPerWh, retailUcPerWh } = tariff;
  const tariffs = { feedIn: locale.price(feedInUcPerWh), retail: locale.price(retailUcPerWh) };
  const place = (price: number) => {
    const width = retailUcPerWh - feedInUcPerWh;
    const share = width <= 0 ? 0.5 : (price - feedInUcPerWh) / width;
    return `${100 * Math.min(1, Math.max(0, share))}%`;
  };
  const { priceUcPerWh, buyPriceUcPerWh, sellPriceUcPerWh } = last;
  const apart = buyPriceUcPerWh !== priceUcPerWh || sellPriceUcPerWh !== priceUcPerWh;
  return (
    <div class="scale">
      <div class="scale-track" role="img" aria-label={t("home.scale", tariffs)}>
        {apart && sellPriceUcPerWh !== null && buyPriceUcPerWh !== null && (
          <span
            class="scale-range"
            style={{
              left: place(sellPriceUcPerWh),
              right: `calc(100% - ${place(buyPriceUcPerWh)})`,
            }}
          />
        )}
        {priceUcPerWh !== null && <span class="scale-mark" style={{ left: place(priceUcPerWh) }} />}
      </div>
      <p class="scale-ends">
        <span>{t("home.scaleFeedIn", { price: tariffs.feedIn })}</span>
        <span>{t("home.scaleRetail", { price: tariffs.retail })}</span>
      </p>
      {apart && sellPriceUcPerWh !== null && buyPriceUcPerWh !== null && (
        <p class="scale-apart">
          {t("home.sellersGet", { price: locale.price(sellPriceUcPerWh) })},{" "}
          {t("home.buyersPay", { price: locale.price(buyPriceUcPerWh) })}
        </p>
      )}
      {props.limits !== null && (
        <p class="scale-limits">
          {t("home.limits", {
            sell: locale.price(props.limits.minSellUcPerWh),
            buy: locale.price(props.limits.maxBuyUcPerWh),
          })}
        </p>
      )}
    </div>
  );
}
