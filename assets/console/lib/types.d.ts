// The words of the API for the checker. They are made from `orderd openapi`; the browser never sees this file.
import type { components } from "../../../.ci/console/api";
type Schemas = components["schemas"];
export type ProblemBody = Pick<Schemas["Problem"], "type" | "title" | "status" | "code" | "request_id" | "retryable" | "detail" | "errors"> & Record<string, unknown>;
export type Me = Schemas["Me"];
export type Settings = Schemas["Settings"] & { oidc_button?: string | null };
export type Order = Schemas["Order"];
export type OrderItem = Schemas["Item"];
export type Transaction = Schemas["Transaction"];
export type OrderEvent = Schemas["Event"] & { data: any };
export type DailyRow = Schemas["DailyRow"];
export type User = Schemas["User"];
