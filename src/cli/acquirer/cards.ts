/**
 * Owns which test methods and which amounts are declined, and with which words.
 *
 * **Invariants**
 * - Methods, codes and words are those of Stripe's test cards.
 */

export interface Decline {
  readonly code: string;
  readonly decline_code: string;
  readonly message: string;
}

const DECLINED = "Your card was declined.";
const GENERIC: Decline = { code: "card_declined", decline_code: "generic_decline", message: DECLINED };
const INSUFFICIENT_FUNDS: Decline = {
  code: "card_declined",
  decline_code: "insufficient_funds",
  message: "Your card has insufficient funds.",
};
/** The bank wants to ask the card's owner. */
const AUTHENTICATION_REQUIRED: Decline = {
  code: "authentication_required",
  decline_code: "authentication_required",
  message: "Your card was declined. This transaction requires authentication.",
};

const DECLINED_METHODS: Readonly<Record<string, Decline>> = {
  pm_card_chargeDeclined: GENERIC,
  pm_card_chargeDeclinedInsufficientFunds: INSUFFICIENT_FUNDS,
  pm_card_chargeDeclinedLostCard: { ...GENERIC, decline_code: "lost_card" },
  pm_card_chargeDeclinedStolenCard: { ...GENERIC, decline_code: "stolen_card" },
  pm_card_chargeDeclinedVelocityLimitExceeded: { ...GENERIC, decline_code: "card_velocity_exceeded" },
  pm_card_chargeDeclinedExpiredCard: {
    code: "expired_card",
    decline_code: "expired_card",
    message: "Your card has expired.",
  },
  pm_card_chargeDeclinedIncorrectCvc: {
    code: "incorrect_cvc",
    decline_code: "incorrect_cvc",
    message: "Your card's security code is incorrect.",
  },
  pm_card_chargeDeclinedProcessingError: {
    code: "processing_error",
    decline_code: "processing_error",
    message: "An error occurred while processing your card. Try again in a little bit.",
  },
  pm_card_authenticationRequired: AUTHENTICATION_REQUIRED,
  pm_card_threeDSecure2Required: AUTHENTICATION_REQUIRED,
};

const GOOD_METHODS = new Set(["pm_card_visa", "pm_card_visa_debit", "pm_card_mastercard", "pm_card_amex"]);

/** By the last two digits of an amount in cents. */
const DECLINED_AMOUNTS: Readonly<Record<number, Decline>> = { 2: GENERIC, 95: INSUFFICIENT_FUNDS };

/** How a card is charged: undefined is a good one, null is no method at all. */
export function judge(method: string, amount: number): Decline | undefined | null {
  const decline = declineOf(method);
  if (decline === undefined && !GOOD_METHODS.has(method)) return null;
  return decline ?? DECLINED_AMOUNTS[amount % 100];
}

/** What a card is declined with that chance chose. */
export const BY_CHANCE = GENERIC;

/** Stripe writes `pm_card_visa_chargeDeclined` and `pm_card_chargeDeclined`. */
function declineOf(method: string): Decline | undefined {
  const name = method.replace("pm_card_visa_charge", "pm_card_charge");
  return Object.hasOwn(DECLINED_METHODS, name) ? DECLINED_METHODS[name] : undefined;
}
