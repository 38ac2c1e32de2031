/** An endpoint gets nothing any more. */
import { word } from "../../words.ts";
import { event } from "./spec.ts";

export const webhookDisabled = event({
  of: "endpoint",
  spec: {
    help: "Deliveries to a webhook were stopped after days of failures, or because the receiver wants no more.",
    severity: "warn",
  },
  words({ data }) {
    const id = word(data.endpoint);
    return `webhook ${id} was disabled: ${word(data.reason)}. hlsync webhooks enable ${id} starts it again`;
  },
});
